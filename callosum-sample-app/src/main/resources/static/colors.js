const HUES = 12;
const SHADES = [[65, 73], [60, 85], [45, 68], [90, 80], [30, 72]];

/** Gives an element the color of a client. Clients whose numbers are near each other have hues that are not. */
export function colorize(element, client) {
  const [saturation, lightness] = SHADES[Math.floor((client - 1) / HUES) % SHADES.length];
  element.style.setProperty('--color', `hsl(${(client - 1) * 150 % 360} ${saturation}% ${lightness}%)`);
}
