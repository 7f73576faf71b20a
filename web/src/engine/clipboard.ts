// Copies texts.

// There is no clipboard where the page comes over plain HTTP, whatever the types say.
const clipboard = navigator.clipboard as Clipboard | undefined;

/** Copies a text, which has a name; gives what became of it, in words. */
export async function copied(name: string, text: string): Promise<string> {
  try {
    await clipboard?.writeText(text);
    return clipboard ? `${name} copied` : "This page may not write to the clipboard.";
  } catch (error) {
    return `Nothing was copied. ${error instanceof Error ? error.message : String(error)}`;
  }
}
