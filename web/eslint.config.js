// What the TypeScript compiler does not look for: promises that nobody awaits, values of no type,
// and text that becomes markup.
import svelte from "eslint-plugin-svelte";
import ts from "typescript-eslint";

export default ts.config(
  ts.configs.strictTypeChecked,
  svelte.configs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: [".svelte"],
      },
    },
    rules: {
      // Keys and values come from whoever wrote the dump: they go into the page as text only.
      "svelte/no-at-html-tags": "error",
      // `onclick={() => jump(line)}` is how handlers are written.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // `void value` is how an effect says what it depends on.
      "@typescript-eslint/no-meaningless-void-operator": "off",
      "@typescript-eslint/restrict-plus-operands": ["error", { allowNumberAndString: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  // Imports run one way: for each directory, those that it may not import from.
  ...Object.entries({
    io: "engine|parts|views|worker",
    worker: "engine|parts|views",
    engine: "parts|views|worker",
    parts: "io|views|worker",
    views: "io|worker",
  }).map(([directory, forbidden]) => ({
    files: [`src/${directory}/**`],
    rules: { "no-restricted-imports": ["error", { patterns: [{ regex: `/(${forbidden})/` }] }] },
  })),
  {
    // The parser does not know the types of a template; svelte-check does, and is strict.
    files: ["**/*.svelte"],
    rules: {
      "@typescript-eslint/no-redundant-type-constituents": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/restrict-plus-operands": "off",
    },
  },
);
