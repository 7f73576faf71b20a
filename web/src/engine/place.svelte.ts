// Where the user is: the view and the line, kept in the address behind `#`. Never data.

export const VIEWS = ["overview", "catalogue", "findings", "keys", "log", "lines", "change", "compare"] as const;
export type View = (typeof VIEWS)[number];

/** The views that have a line. */
const LINED: readonly View[] = ["catalogue", "keys", "log", "lines"];

class Place {
  view = $state<View>("overview");
  line = $state(1);

  constructor() {
    this.#read();
    addEventListener("popstate", () => this.#read());
  }

  #read(): void {
    const [name, line] = location.hash.slice(1).split(":");
    this.view = VIEWS.find((known) => known === name) ?? "overview";
    const number = Number(line);
    if (Number.isSafeInteger(number) && number > 0) this.line = number;
  }

  /** Shows a view; the browser goes back from there. */
  go(view: View): void {
    if (view === this.view) return;
    this.view = view;
    history.pushState(null, "", this.#hash());
  }

  jump(line: number): void {
    this.line = line;
    this.view = "lines";
    history.pushState(null, "", this.#hash());
  }

  /** Shows the same view at another line; the browser goes back from there. */
  visit(line: number): void {
    if (line === this.line) return;
    this.line = line;
    history.pushState(null, "", this.#hash());
  }

  /** Keeps the address in step with the cursor. */
  at(line: number): void {
    this.line = line;
    history.replaceState(null, "", this.#hash());
  }

  #hash(): string {
    return LINED.includes(this.view) ? `#${this.view}:${this.line}` : `#${this.view}`;
  }
}

export const place = new Place();
