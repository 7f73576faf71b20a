// A file that is taken into the page as the text that it is.
declare module "*.ndjson?raw" {
  const text: string;
  export default text;
}
