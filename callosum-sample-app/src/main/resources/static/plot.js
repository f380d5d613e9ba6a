const MIN_SECONDS = 15;
const MAX_SECONDS = 120;

/**
 * A number over the last two minutes, drawn as steps because nothing changes between two samples.
 */
export class Plot {
  static MAX = 300;
  #line;
  #area;
  #text;
  #read;
  #base;
  #top;
  #format;
  #samples = [];

  /**
   * @param svg where to draw
   * @param text where to say it in words
   * @param read returns the number of a sample
   * @param base the number at the bottom, and before the first sample
   * @param top the number at the top, unless a sample is higher
   * @param format returns the text of a number
   */
  constructor(svg, text, { read, base, top, format }) {
    this.#line = svg.querySelector('.line');
    this.#area = svg.querySelector('.area');
    this.#text = text;
    this.#read = read;
    this.#base = base;
    this.#top = top;
    this.#format = format;
  }

  clear() {
    this.#samples = [];
  }

  add(samples) {
    for (const sample of samples) {
      if (this.#samples.at(-1)?.second === sample.second) {
        this.#samples.pop();
      }
      this.#samples.push({ second: sample.second, value: this.#read(sample) });
    }
    this.#samples = this.#samples.slice(-Plot.MAX);
  }

  draw(now) {
    const end = now / 1000;
    const seconds = Math.min(Math.max(end - (this.#samples[0]?.second ?? end), MIN_SECONDS), MAX_SECONDS);
    const start = end - seconds;
    const before = this.#samples.findLast(({ second }) => second < start) ?? { value: this.#base };
    const shown = [{ ...before, second: start }, ...this.#samples.filter(({ second }) => second >= start)];
    const peak = Math.max(...shown.map(({ value }) => value));
    const range = Math.max(peak, this.#top) - this.#base;
    const x = ({ second }) => (Math.min(second - start, seconds) / seconds * 600).toFixed(1);
    const y = ({ value }) => (116 - (value - this.#base) / range * 108).toFixed(1);
    const steps = `${shown.map((sample) => `H${x(sample)}V${y(sample)}`).join('')}H600`;
    this.#line.setAttribute('d', `M0 ${y(shown[0])}${steps}`);
    this.#area.setAttribute('d', `M0 120${steps}V120Z`);
    const period = (seconds < MAX_SECONDS) ? `${Math.round(seconds)} s` : '2 minutes';
    this.#text.textContent
      = `now ${this.#format(shown.at(-1).value)}, at most ${this.#format(peak)} in the last ${period}`;
  }
}
