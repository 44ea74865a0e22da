import { expect, test } from 'vitest';
import { type Chart, svg, tickValues } from './chart.ts';

const chart: Chart = {
  name: 'a',
  title: 'Reads & writes <fast>',
  note: '',
  x: { title: 'message size', isLogarithmic: true, isBytes: true },
  y: { title: 'MB/s' },
  points: [
    { series: '9s', x: 65_536, y: 900 },
    { series: '9s', x: 8192, y: 100 },
    { series: 'C floor', x: 8192, y: 120 },
    { series: 'C floor', x: 65_536, y: 905 },
  ],
};

test('ticks of a linear axis begin at 0 and cover the values with round steps', () => {
  expect(tickValues({ title: '' }, [3, 905])).toEqual([0, 200, 400, 600, 800, 1000]);
  expect(tickValues({ title: '' }, [0.07])).toHaveLength(5);
  expect(tickValues({ title: '' }, [0])).toEqual([0]);
});

test('ticks of a logarithmic axis are the positions that were chosen, or powers of ten and their parts', () => {
  expect(tickValues({ title: '', isLogarithmic: true }, [1, 16, 4, 4])).toEqual([1, 4, 16]);
  expect(tickValues({ title: '', isLogarithmic: true }, [7.5, 120.5])).toEqual([10, 20, 50, 100]);
  expect(tickValues({ title: '', isLogarithmic: true }, [0.05, 900.5])).toEqual([0.1, 1, 10, 100]);
});

test('a chart is one element of XML in which text is escaped', () => {
  const text = svg(chart);
  expect(text).toMatch(/^<svg [^>]*viewBox="0 0 760 420"[\s\S]*<\/svg>\n$/);
  expect(text).toContain('<title id="title">Reads &amp; writes &lt;fast&gt;</title>');
  expect(text).not.toMatch(/NaN|Infinity|undefined/);
});

test('a chart follows the colour scheme of its reader', () => {
  expect(svg(chart)).toContain('@media (prefers-color-scheme:dark)');
});

test('each line goes from left to right, and upwards on the page as values grow', () => {
  const [, path] = /<path class="line s0" d="([^"]+)"/.exec(svg(chart)) ?? [];
  const [x0, y0, x1, y1] = (path?.match(/[\d.]+/g) ?? []).map(Number) as [number, number, number, number];
  expect(x1).toBeGreaterThan(x0);
  expect(y1).toBeLessThan(y0);
});

test('bytes are labelled in powers of two', () => {
  expect(svg(chart)).toContain('>8 KiB</text>');
  expect(svg(chart)).toContain('>64 KiB</text>');
});

test('names of lines that end at the same place do not touch', () => {
  const text = svg(chart);
  const at = [...text.matchAll(/class="label" x="[\d.]+" y="([\d.]+)"/g)].map(([, y]) => Number(y));
  expect(at).toHaveLength(2);
  expect(Math.abs((at[0] as number) - (at[1] as number))).toBeGreaterThanOrEqual(16);
});

test('a single point can be drawn', () => {
  expect(svg({ ...chart, points: [{ series: '9s', x: 8192, y: 5 }] })).not.toMatch(/NaN|Infinity/);
});
