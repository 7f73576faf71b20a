// Where the panel is below the list, a click would change nothing in sight.

import { tick } from "svelte";

/** Brings the panel into sight, where it is not beside the list. */
export async function showPanel(): Promise<void> {
  if (!matchMedia("(max-width: 820px)").matches) return;
  await tick();
  document.querySelector("main .panel")?.scrollIntoView();
}
