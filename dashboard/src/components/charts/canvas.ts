import uPlot from "uplot";
import { axisDate, axisStep, axisTime, type Format, looks, marks, type Point, type Series } from "@/components/charts/scale";
import { type Layer, lonely, stack, stretches } from "@/components/charts/stack";
import type { Place } from "@/components/charts/values";

/** What is drawn. */
export interface Shown {
  points: readonly Point[];
  series: readonly Series[];
  format: Format;
  stacked: boolean;
}

/** A chart on a canvas, made once for its series and told of values as they come. */
export interface Chart {
  show: (shown: Shown) => void; // of the same series
  point: (index: number | null) => void; // as the pointer does
  close: () => void;
}

/** The same, calculated once for each time that it changes. */
interface Figures extends Shown {
  times: number[];
  layers: Layer[];
  marks: number[]; // beside the chart
  time: (ms: number) => string;
  step: number;
  date: (ms: number) => Date;
}

const DAY_MS = 86_400_000;
const STEPS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3_600_000),
  ...[1, 2, 3, 7, 14, 30, 60, 90, 180, 365].map((days) => days * DAY_MS),
];
const MARKS = 5;
const DOTS_UP_TO = 31; // points: more of them would touch each other
const FONT_PX = 12;
const BETWEEN_PX = 24; // two times
const AXIS_PX = { least: 36, gap: 8, below: 26 };
const AWAY = { left: -10, top: -10 };

/** `reached` is told of the point that the pointer or `point` has reached, and of null when it has left. */
export function chartOn(host: HTMLElement, first: Shown, reached: (place: Place | null) => void): Chart {
  let figures = figuresOf(first);
  const plot = new uPlot(options(host, () => figures, reached), dataOf(figures), host);
  const point = (index: number | null) => {
    const time = index === null ? undefined : figures.times[index];
    plot.setCursor(time === undefined ? AWAY : { left: plot.valToPos(time, "x"), top: 0 });
  };
  const sizes = new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = host;
    if (width === plot.width && height === plot.height) return;
    const { idx } = plot.cursor;
    plot.batch(() => plot.setSize({ width, height }));
    point(idx ?? null);
  });
  sizes.observe(host);
  const themes = new MutationObserver(() => plot.redraw(false));
  themes.observe(document.documentElement, { attributeFilter: ["class"] });
  return {
    show(shown) {
      figures = figuresOf(shown);
      plot.setData(dataOf(figures));
    },
    point,
    close() {
      sizes.disconnect();
      themes.disconnect();
      plot.destroy();
    },
  };
}

function figuresOf(shown: Shown): Figures {
  const { points, series, stacked } = shown;
  const alone = ({ key }: Series): Layer => ({ bottoms: [], tops: points.map(({ values }) => values[key] ?? null) });
  const layers = stacked ? stack(points, series) : series.map(alone);
  const values = layers.flatMap(({ tops }) => tops.map((top) => top ?? 0));
  return {
    ...shown,
    times: points.map(({ at }) => Date.parse(at)),
    layers,
    marks: marks(Math.min(0, ...values), Math.max(0, ...values), MARKS, values.every(Number.isInteger)),
    time: axisTime(points),
    step: axisStep(points),
    date: axisDate(points),
  };
}

const dataOf = ({ times, layers }: Figures): uPlot.AlignedData => [times, ...layers.map(({ tops }) => tops)];

/** Colours are looked up whenever something is drawn, for the page may have become dark meanwhile. */
const colorOf = (host: HTMLElement, variable: string) => () => getComputedStyle(host).getPropertyValue(variable).trim();

function options(host: HTMLElement, figures: () => Figures, reached: (place: Place | null) => void): uPlot.Options {
  return {
    width: host.clientWidth,
    height: host.clientHeight,
    ms: 1,
    tzDate: (ms) => figures().date(ms),
    padding: [8, (plot) => Math.ceil(labelWidth(plot, host, figures()) / 2), 0, 0],
    legend: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      points: { size: 8 },
      move: (plot, left, top) => (left < 0 ? [left, top] : [plot.valToPos(figures().times[plot.posToIdx(left)] ?? 0, "x"), top]),
    },
    scales: {
      x: { range: () => sides(figures()) },
      y: { range: () => ends(figures().marks) },
    },
    axes: [timeAxis(host, figures), valueAxis(host, figures)],
    series: [{}, ...linesOf(host, figures)],
    hooks: { setCursor: [(plot) => reached(placeOf(plot))] },
  };
}

/** A single point stands in the middle. */
function sides({ times, step }: Figures): [number, number] {
  const [first, last] = ends(times);
  return first < last ? [first, last] : [first - step, first + step];
}

const ends = (values: readonly number[]): [number, number] => [values[0] ?? 0, values.at(-1) ?? 1];

function placeOf(plot: uPlot): Place | null {
  const { idx: index, left = 0, top = 0 } = plot.cursor;
  if (index === null || index === undefined) return null;
  const x = left + plot.bbox.left / uPlot.pxRatio;
  const y = top + plot.bbox.top / uPlot.pxRatio;
  return { index, left: x, top: y, right: plot.width - x, bottom: plot.height - y };
}

function common(host: HTMLElement): uPlot.Axis {
  return { font: fontOf(host), stroke: colorOf(host, "--muted-foreground"), ticks: { show: false } };
}

function timeAxis(host: HTMLElement, figures: () => Figures): uPlot.Axis {
  return {
    ...common(host),
    size: AXIS_PX.below,
    gap: AXIS_PX.gap,
    grid: { show: false },
    border: { show: true, stroke: colorOf(host, "--border"), width: 1 },
    space: (plot) => labelWidth(plot, host, figures()) + BETWEEN_PX,
    incrs: () => STEPS_MS.filter((step) => step >= figures().step),
    values: (_plot, times) => times.map(figures().time),
  };
}

function valueAxis(host: HTMLElement, figures: () => Figures): uPlot.Axis {
  return {
    ...common(host),
    gap: AXIS_PX.gap,
    grid: { stroke: colorOf(host, "--border"), width: 1 },
    size: (plot, texts) => Math.max(AXIS_PX.least, widest(plot, host, texts ?? []) + AXIS_PX.gap + 2),
    splits: () => figures().marks,
    values: (_plot, values) => values.map(figures().format),
  };
}

const fontOf = (host: HTMLElement): string => `${FONT_PX}px ${getComputedStyle(host).fontFamily}`;

/** Of a time below the chart: no other one is longer by much than both the first and the last. */
const labelWidth = (plot: uPlot, host: HTMLElement, { times, time }: Figures): number => widest(plot, host, ends(times).map(time));

/** The width of the longest text, in pixels of the page. */
function widest(plot: uPlot, host: HTMLElement, texts: readonly (string | null)[]): number {
  plot.ctx.save();
  plot.ctx.font = fontOf(host);
  const widths = texts.map((text) => plot.ctx.measureText(text ?? "").width);
  plot.ctx.restore();
  return Math.ceil(Math.max(0, ...widths));
}

function linesOf(host: HTMLElement, figures: () => Figures): uPlot.Series[] {
  const { series, stacked } = figures();
  const styles = looks(series);
  return styles.map(({ color, dash }, index) => {
    const stroke = colorOf(host, color.slice("var(".length, -1));
    const points: uPlot.Series.Points = {
      size: 5,
      width: 0,
      show: () => !stacked && figures().points.length <= DOTS_UP_TO,
      filter: (_plot, _series, all) => (all ? null : lonely(figures().layers[index]?.tops ?? [])),
    };
    if (!stacked) return { stroke, points, width: 2, dash: dash === "none" ? [] : dash.split(" ").map(Number) };
    return { stroke, points, width: 1, fill: () => `color-mix(in oklab, ${stroke()} 45%, transparent)`, paths: areas(figures, index) };
  });
}

/** The library's own fill reaches down to zero; these reach down to the layer below. */
const areas = (figures: () => Figures, index: number): uPlot.Series.PathBuilder => (plot) => {
  const { times, layers } = figures();
  const { bottoms, tops } = layers[index] ?? { bottoms: [], tops: [] };
  const stroke = new Path2D();
  const fill = new Path2D();
  const x = times.map((time) => plot.valToPos(time, "x", true));
  const y = (value: number | null | undefined) => plot.valToPos(value ?? 0, "y", true);
  for (const [first, last] of stretches(tops)) {
    const line = Array.from({ length: last - first + 1 }, (_, step) => first + step);
    for (const path of [stroke, fill]) path.moveTo(x[first] ?? 0, y(tops[first]));
    for (const path of [stroke, fill]) line.forEach((at) => path.lineTo(x[at] ?? 0, y(tops[at])));
    line.toReversed().forEach((at) => fill.lineTo(x[at] ?? 0, y(bottoms[at])));
    fill.closePath();
  }
  return { stroke, fill };
};
