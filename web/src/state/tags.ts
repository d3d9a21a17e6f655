// Entity tags of records, as the server makes them: "<number of events>-<time of the last that counts, in hex>". The
// number only ever grows, so it is the record's version.

/** The tag of a record after so many events. */
export const tagOf = (numEvents: number, asOf: string | null): string =>
  `${numEvents}-${(asOf === null ? 0 : microsecondsOf(asOf)).toString(16)}`;

export const versionOf = (etag: string): number => Number.parseInt(etag, 10);

/** Microseconds since 1970 of a moment as Python writes it; Date knows milliseconds only. */
export function microsecondsOf(moment: string): number {
  const fraction = /\.(\d+)/.exec(moment)?.[1] ?? "";
  const whole = Date.parse(moment.replace(/\.\d+/, ""));
  return whole * 1000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}
