const MIN_SECONDS = 15;
const MAX_SECONDS = 120;

/**
 * The highest slot in the last two minutes, drawn as steps: between two samples nothing has changed.
 */
export class Plot {
  static MAX = 300;
  #line;
  #area;
  #text;
  #samples = [];

  constructor(svg, text) {
    this.#line = svg.querySelector('.line');
    this.#area = svg.querySelector('.area');
    this.#text = text;
  }

  clear() {
    this.#samples = [];
  }

  add(samples) {
    for (const sample of samples) {
      if (this.#samples.at(-1)?.second === sample.second) {
        this.#samples.pop();
      }
      this.#samples.push(sample);
    }
    this.#samples = this.#samples.slice(-Plot.MAX);
  }

  draw(now) {
    const end = now / 1000;
    const seconds = Math.min(Math.max(end - (this.#samples[0]?.second ?? end), MIN_SECONDS), MAX_SECONDS);
    const start = end - seconds;
    const before = this.#samples.findLast(({ second }) => second < start) ?? { highest: -1 };
    const shown = [{ ...before, second: start }, ...this.#samples.filter(({ second }) => second >= start)];
    const peak = Math.max(...shown.map(({ highest }) => highest));
    const x = ({ second }) => (Math.min(second - start, seconds) / seconds * 600).toFixed(1);
    const y = ({ highest }) => (116 - (highest + 1) / (Math.max(peak, 9) + 1) * 108).toFixed(1);
    const steps = `${shown.map((sample) => `H${x(sample)}V${y(sample)}`).join('')}H600`;
    this.#line.setAttribute('d', `M0 ${y(shown[0])}${steps}`);
    this.#area.setAttribute('d', `M0 120${steps}V120Z`);
    const name = (highest) => (highest < 0) ? 'none' : highest;
    const period = (seconds < MAX_SECONDS) ? `${Math.round(seconds)} s` : '2 minutes';
    this.#text.textContent = `now ${name(shown.at(-1).highest)}, at most ${name(peak)} in the last ${period}`;
  }
}
