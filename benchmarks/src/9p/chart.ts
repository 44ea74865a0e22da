/** A line chart as data: what the data file holds, and what `svg` draws. */
export interface Chart {
  /** Part of the file's name. */
  readonly name: string;
  readonly title: string;
  /** A sentence below it. */
  readonly note: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly points: readonly Point[];
}

export interface Axis {
  readonly title: string;
  readonly unit?: string;
  /** Default linear. */
  readonly isLogarithmic?: boolean;
  /** Runs from 0 to 1, as the fraction of operations that took no longer. */
  readonly isQuantile?: boolean;
  /** Values are bytes: ticks are powers of two. */
  readonly isBytes?: boolean;
}

export interface Point {
  readonly series: string;
  readonly x: number;
  readonly y: number;
}

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 78;
const RIGHT = 150;
const TOP = 52;
const BOTTOM = 58;
/** Least distance of two labels, baseline to baseline. */
const LABEL_HEIGHT = 16;
/** The longest line from the end of a line to its name. */
const LEADER_LENGTH = 40;

/** Told apart by colour, by dash and by marker, so that it can be read without colours. Contrast is above 3:1 on both grounds. */
const looks = [
  { light: '#0b62d6', dark: '#5aa2ff', dash: '', marker: 'circle' },
  { light: '#57606a', dark: '#9aa4af', dash: '6 4', marker: 'square' },
  { light: '#b8490f', dark: '#f0883e', dash: '2 4', marker: 'triangle' },
  { light: '#0b62d6', dark: '#5aa2ff', dash: '10 3', marker: 'diamond' },
  { light: '#57606a', dark: '#9aa4af', dash: '10 3 2 3', marker: 'diamond' },
  { light: '#b8490f', dark: '#f0883e', dash: '1 3', marker: 'diamond' },
] as const;

/** Draws a chart; it follows the reader's light or dark colour scheme by itself. */
export function svg(chart: Chart): string {
  const names = [...new Set(chart.points.map(({ series }) => series))];
  const x = scale(
    chart.x,
    chart.points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scale(
    chart.y,
    chart.points.map((point) => point.y),
    HEIGHT - BOTTOM,
    TOP,
  );
  const lines = names.map((name, index) => {
    const points = chart.points
      .filter(({ series }) => series === name)
      .sort((a, b) => a.x - b.x || a.y - b.y)
      .map((point): [number, number] => [x.at(point.x), y.at(point.y)]);
    return { name, look: index % looks.length, points };
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title">`,
    `<title id="title">${escapeText(chart.title)}</title>`,
    `<style>${style()}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${HEIGHT}" rx="6"/>`,
    `<text class="title" x="${LEFT}" y="28">${escapeText(chart.title)}</text>`,
    ...y.ticks.map(
      ({ value, label }) =>
        `<path class="grid" d="M${LEFT} ${round(y.at(value))}H${WIDTH - RIGHT}"/>` +
        `<text class="tick" x="${LEFT - 8}" y="${round(y.at(value) + 4)}" text-anchor="end">${label}</text>`,
    ),
    ...x.ticks.map(
      ({ value, label }) =>
        `<path class="grid" d="M${round(x.at(value))} ${HEIGHT - BOTTOM}v5"/>` +
        `<text class="tick" x="${round(x.at(value))}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${label}</text>`,
    ),
    `<path class="axis" d="M${LEFT} ${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>`,
    `<text class="tick" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 14}" text-anchor="middle">${axisTitle(chart.x)}</text>`,
    `<text class="tick" transform="translate(18 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${axisTitle(chart.y)}</text>`,
    ...lines.map(({ look, points }) => drawLine(look, points)),
    ...endLabels(lines),
    '</svg>',
  ].join('\n')}\n`;
}

interface Scale {
  at(value: number): number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

interface Line {
  readonly name: string;
  readonly look: number;
  readonly points: readonly (readonly [number, number])[];
}

function scale(axis: Axis, values: readonly number[], from: number, to: number): Scale {
  const ticks = tickValues(axis, values);
  const place = axis.isLogarithmic ? Math.log : (value: number) => value;
  // A logarithmic axis ends where the data ends, a linear one at a tick.
  const ends = axis.isLogarithmic ? values : ticks;
  const least = place(Math.min(...ends));
  const greatest = place(Math.max(...ends));
  const width = greatest - least || 1;
  return {
    at: (value) => from + ((place(value) - least) / width) * (to - from),
    ticks: ticks
      .filter((value) => place(value) >= least - 1e-9 && place(value) <= greatest + 1e-9)
      .map((value) => ({ value, label: tickLabel(axis, value) })),
  };
}

/** Round numbers that cover the values. */
export function tickValues(axis: Axis, values: readonly number[]): number[] {
  const greatest = Math.max(...values);
  if (axis.isQuantile) return [0, 0.25, 0.5, 0.75, 1];
  if (!axis.isLogarithmic) {
    const rough = (greatest || 1) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = ([1, 2, 2.5, 5].find((factor) => factor * power >= rough) ?? 10) * power;
    return Array.from({ length: Math.ceil(greatest / step) + 1 }, (_, index) => index * step);
  }
  const least = Math.min(...values);
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  // Positions that were chosen are shown as they are.
  if (distinct.length <= 10 && distinct.every((value) => Number.isInteger(value))) return distinct;
  const factors = greatest / least > 1000 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = 10 ** Math.floor(Math.log10(least)); power <= greatest; power *= 10) {
    ticks.push(...factors.map((factor) => factor * power));
  }
  return ticks.filter((value) => value >= least && value <= greatest);
}

function tickLabel({ isBytes, isQuantile }: Axis, value: number): string {
  if (isQuantile) return `${value * 100} %`;
  if (isBytes) {
    if (value >= 2 ** 20) return `${value / 2 ** 20} MiB`;
    return value >= 1024 ? `${value / 1024} KiB` : `${value} B`;
  }
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))}M`;
  return value >= 10_000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(3)));
}

function axisTitle({ title, unit, isLogarithmic }: Axis): string {
  const remarks = [unit, isLogarithmic && 'logarithmic'].filter(Boolean).join(', ');
  return escapeText(remarks ? `${title} (${remarks})` : title);
}

function drawLine(look: number, points: readonly (readonly [number, number])[]): string {
  const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('');
  return `<path class="line s${look}" d="${path}"/>\n${points.map(([x, y]) => marker(look, x, y)).join('')}`;
}

function marker(look: number, x: number, y: number): string {
  const shapes = {
    circle: 'm-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z',
    square: 'm-3.2 -3.2h6.4v6.4h-6.4z',
    triangle: 'm0 -4.2l4 7.2h-8z',
    diamond: 'm0 -4.4l4.4 4.4l-4.4 4.4l-4.4 -4.4z',
  };
  const shape = shapes[(looks[look] as (typeof looks)[number]).marker];
  return `<path class="mark m${look}" d="M${round(x)} ${round(y)}${shape}"/>`;
}

/** A series' name stands where its line ends, pushed down where two would touch. */
function endLabels(lines: readonly Line[]): string[] {
  const labels = lines
    .flatMap(({ name, look, points }) => {
      const end = points.at(-1);
      return end ? [{ name, look, x: end[0], end: end[1], y: end[1] }] : [];
    })
    .sort((a, b) => a.y - b.y);
  let lowest = TOP - LABEL_HEIGHT;
  for (const label of labels) {
    label.y = Math.max(label.y, lowest + LABEL_HEIGHT);
    lowest = label.y;
  }
  const column = WIDTH - RIGHT + 24;
  return labels.map(({ name, look, x, end, y }) => {
    // Where lines end far from each other, leaders would cross them.
    const leader = `<path class="leader" d="M${round(x + 6)} ${round(end)}L${column - 14} ${round(y)}"/>`;
    return (
      (column - x < LEADER_LENGTH ? leader : '') +
      `${marker(look, column - 8, y)}<text class="label" x="${column}" y="${round(y + 4)}">${escapeText(name)}</text>`
    );
  });
}

function style(): string {
  const series = (scheme: 'light' | 'dark'): string =>
    looks.map((look, index) => `.s${index}{stroke:${look[scheme]}}.m${index}{fill:${look[scheme]}}`).join('');
  const dashes = looks
    .map(({ dash }, index) => (dash ? `.s${index}{stroke-dasharray:${dash}}` : ''))
    .join('');
  return [
    'text{font-family:system-ui,-apple-system,"Segoe UI",sans-serif;font-size:12px;fill:#1f2328}',
    '.title{font-size:16px;font-weight:600}.tick{fill:#57606a}',
    '.ground{fill:#ffffff}.grid{stroke:#d8dee4}.axis{stroke:#57606a}.leader{stroke:#d8dee4;fill:none}',
    '.line{fill:none;stroke-width:2;stroke-linejoin:round}',
    dashes,
    series('light'),
    '@media (prefers-color-scheme:dark){text{fill:#e6edf3}.tick{fill:#9aa4af}.ground{fill:#0d1117}',
    '.grid{stroke:#2b3138}.axis{stroke:#9aa4af}.leader{stroke:#2b3138}',
    `${series('dark')}}`,
  ].join('');
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function round(value: number): string {
  return String(Number(value.toFixed(1)));
}
