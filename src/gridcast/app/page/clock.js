// Times: UTC from the API, shown and typed by the clock of a series.

const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const formats = new Map();

function formatOf(timeZone) {
  if (!formats.has(timeZone)) {
    formats.set(timeZone, new Intl.DateTimeFormat("en-US", {
      timeZone, hourCycle: "h23", weekday: "short", year: "numeric", month: "short", day: "numeric",
      hour: "2-digit", minute: "2-digit", timeZoneName: "short",
    }));
  }
  return formats.get(timeZone);
}

export function wallClock(time, timeZone) {
  return Object.fromEntries(formatOf(timeZone).formatToParts(time).map((each) => [each.type, each.value]));
}

// Mon 30 Jun 14:00 CDT
export function momentText(time, timeZone) {
  const at = wallClock(time, timeZone);
  return `${at.weekday} ${at.day} ${at.month} ${at.hour}:${at.minute} ${at.timeZoneName}`;
}

// 30 Jun 2008 14:00 CDT
export function datedText(time, timeZone) {
  const at = wallClock(time, timeZone);
  return `${at.day} ${at.month} ${at.year} ${at.hour}:${at.minute} ${at.timeZoneName}`;
}

// Mon 30 Jun
export function dayText(date) {
  const at = wallClock(Date.parse(`${date}T00:00:00Z`), "UTC");
  return `${at.weekday} ${at.day} ${at.month}`;
}

export function ageText(milliseconds) {
  const minutes = Math.floor(Math.max(0, milliseconds) / MINUTE);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return days < 730 ? `${days} days` : `${Math.floor(days / 365)} years`;
}

// The times of local midnights and of 06, 12 and 18 o'clock between two times, each once however clocks change.
export function ticksBetween(start, end, timeZone) {
  const step = 15 * MINUTE;
  const ticks = [];
  for (let time = Math.ceil(start / step) * step; time <= end; time += step) {
    const at = wallClock(time, timeZone);
    if (at.minute === "00" && Number(at.hour) % 6 === 0 && ticks.at(-1)?.label !== at.hour) {
      ticks.push({ time, label: at.hour, day: at.hour === "00" ? `${at.weekday} ${at.day} ${at.month}` : null });
    }
  }
  return ticks;
}

// 2008-06-30T14:00, as inputs of the type datetime-local want it.
export function typedOf(time, timeZone) {
  return new Date(time + offsetAt(time, timeZone)).toISOString().slice(0, 16);
}

// The time that somebody typed by the clock of a zone; null where no clock ever showed it. Shown twice, the first is meant.
export function typedTime(text, timeZone) {
  const asUtc = Date.parse(`${text}Z`);
  if (Number.isNaN(asUtc)) return null;
  const guesses = [asUtc - DAY, asUtc + DAY].map((each) => asUtc - offsetAt(each, timeZone));
  const right = guesses.filter((each) => each + offsetAt(each, timeZone) === asUtc);
  return right.length ? Math.min(...right) : null;
}

export const iso = (time) => new Date(time).toISOString().replace(".000Z", "Z");

function offsetAt(time, timeZone) {
  const at = wallClock(time, timeZone);
  const wall = Date.parse(`${at.day} ${at.month} ${at.year} ${at.hour}:${at.minute}:00 UTC`);
  return wall - Math.floor(time / MINUTE) * MINUTE;
}
