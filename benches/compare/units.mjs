// How figures are written: three significant digits and a unit, as `throng bench` writes them.
//
//   milliseconds(585_215)      "0.585 ms"
//   bytes(16_534)              "16,500 B"

export function milliseconds(nanoseconds) {
  return `${digits(nanoseconds / 1e6)} ms`;
}

export function microseconds(value) {
  return `${digits(value)} µs`;
}

/** Of one connection: plain bytes, so that a column has one unit. */
export function bytes(value) {
  return `${digits(value)} B`;
}

export function megabytes(value) {
  return `${digits(value / 1e6)} MB`;
}

export function ratio(value) {
  return value.toFixed(2);
}

/** A whole number with its thousands told apart. */
export function count(value) {
  return value.toLocaleString("en-US");
}

export function digits(value) {
  return Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 3 });
}
