// Numbers for people: as many digits as the size deserves.

const formats = [0, 1, 2].map((digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));

const digitsFor = (size) => (size >= 100 ? 0 : size >= 10 ? 1 : 2);

export function megawatts(value, { like = value } = {}) {
  if (value === null || value === undefined) return "–";
  return formats[digitsFor(Math.abs(like ?? value))].format(value);
}

export function signed(value, options) {
  if (value === null || value === undefined) return "–";
  const text = megawatts(Math.abs(value), options);
  return `${value < 0 ? "−" : "+"}${text}`;
}

export const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(share * 100)} %`);

// A share so that neither a little of something nor nearly all of it looks like none or all.
export function finePercent(share) {
  if (share === null || share === undefined) return "–";
  const isNearEnd = (share > 0 && share < 0.01) || (share < 1 && share > 0.99);
  return `${(share * 100).toFixed(isNearEnd ? 1 : 0)} %`;
}

// Round steps between two values, about `count` of them.
export function roundSteps(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= raw);
  const first = Math.ceil(low / step) * step;
  const steps = [];
  for (let value = first; value <= high + step * 1e-6; value += step) steps.push(Number(value.toPrecision(12)));
  return steps;
}
