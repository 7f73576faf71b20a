// Where the user is: the view and the line, kept in the address behind `#`. Never data.

export const VIEWS = ["overview", "findings", "keys", "log", "lines", "change", "compare"] as const;
export type View = (typeof VIEWS)[number];

class Place {
  view = $state<View>("overview");
  line = $state(1);
  /** Counts jumps, so that a jump to the same line is one. */
  jumps = $state(0);

  constructor() {
    this.#read();
    addEventListener("hashchange", () => this.#read());
  }

  #read(): void {
    const [name, line] = location.hash.slice(1).split(":");
    const view = VIEWS.find((known) => known === name);
    if (view) this.view = view;
    const number = Number(line);
    if (Number.isSafeInteger(number) && number > 0 && number !== this.line) {
      this.line = number;
      this.jumps++;
    }
  }

  go(view: View): void {
    this.view = view;
    this.#write();
  }

  jump(line: number): void {
    this.line = line;
    this.jumps++;
    this.view = "lines";
    this.#write();
  }

  #write(): void {
    const hash = this.view === "lines" ? `#lines:${this.line}` : `#${this.view}`;
    history.replaceState(null, "", hash);
  }

  /** Keeps the address in step with the cursor. */
  at(line: number): void {
    this.line = line;
    this.#write();
  }
}

export const place = new Place();
