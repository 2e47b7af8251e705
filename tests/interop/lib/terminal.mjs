// A program in a terminal of its own: keys are typed, and what is drawn is kept as a screen.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { within } from "./wait.mjs";

const script = fileURLToPath(new URL("../python/terminal.py", import.meta.url));

/** Starts a program in a terminal of so many rows and columns. */
export function startTerminal(program, words, { rows = 24, columns = 80 } = {}) {
  const size = [String(rows), String(columns)];
  const child = spawn("python3", [script, ...size, program, ...words]);
  return new Terminal(child, new Screen(rows, columns));
}

class Terminal {
  #child;
  #screen;
  #errors = "";
  #waiting = new Set();

  constructor(child, screen) {
    this.#child = child;
    this.#screen = screen;
    child.stdout.setEncoding("utf8").on("data", (text) => {
      screen.draw(text);
      this.#waiting.forEach((look) => look());
    });
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", (text) => (this.#errors += text));
  }

  /** What the screen shows, a line for each row. */
  get text() {
    return this.#screen.text;
  }

  /** The modes that are set at this moment: `?25`, the cursor; `?1049`, the other screen. */
  get modes() {
    return [...this.#screen.modes];
  }

  /** Waits until the screen shows this; answers the match. */
  shows(pattern) {
    let look;
    const shown = new Promise((resolve) => {
      look = () => {
        const match = pattern.exec(this.text);
        if (match) {
          resolve(match);
        }
      };
      this.#waiting.add(look);
      look();
    });
    const what = { toString: () => `${pattern} on the screen:\n${this.text}\n${this.#errors}` };
    return within(shown, what).finally(() => this.#waiting.delete(look));
  }

  type(keys) {
    this.#child.stdin.write(keys);
  }

  /** Waits for the program's end; answers how it came, and what became of the terminal. */
  async end() {
    if (this.#child.exitCode === null) {
      await within(once(this.#child, "close"), "the end of the program");
    }
    return JSON.parse(this.#errors.trim().split("\n").at(-1));
  }

  /** Ends the program, if it hasn't. */
  close() {
    this.#child.stdin.end();
  }
}

/** Rows of characters, and as much of what terminals understand as is drawn with here. */
class Screen {
  #rows;
  #columns;
  #cells;
  #at = [0, 0];
  #rest = "";
  // A terminal begins with its cursor shown.
  modes = new Set(["?25"]);

  constructor(rows, columns) {
    [this.#rows, this.#columns] = [rows, columns];
    this.#clear();
  }

  get text() {
    return this.#cells.map((row) => row.join("").trimEnd()).join("\n");
  }

  draw(text) {
    // A control sequence, or one character; what is left over at the end is the beginning of one.
    const pieces = /\x1b\[([?>=]?)([\d;]*)([A-Za-z])|\x1b[^[]|([^\x1b])/guy;
    this.#rest += text;
    let taken = 0;
    for (const [piece, mark, numbers, command, character] of this.#rest.matchAll(pieces)) {
      taken += piece.length;
      character ? this.#put(character) : this.#obey(mark, numbers, command);
    }
    this.#rest = this.#rest.slice(taken);
  }

  #put(character) {
    const [row, column] = this.#at;
    if (character === "\r") {
      this.#at = [row, 0];
    } else if (character === "\n") {
      this.#at = [Math.min(row + 1, this.#rows - 1), column];
    } else if (column < this.#columns) {
      this.#cells[row][column] = character;
      this.#at = [row, column + 1];
    }
  }

  #obey(mark, numbers, command) {
    if (command === "H") {
      const [row, column] = numbers.split(";").map((number) => Number(number || 1) - 1);
      this.#at = [row, column ?? 0];
    } else if (command === "J") {
      this.#clear();
    } else if (mark === "?" && command === "h") {
      this.modes.add(`?${numbers}`);
      if (numbers === "1049") {
        this.#clear();
      }
    } else if (mark === "?" && command === "l") {
      this.modes.delete(`?${numbers}`);
    }
  }

  #clear() {
    this.#cells = Array.from({ length: this.#rows }, () => Array(this.#columns).fill(" "));
  }
}
