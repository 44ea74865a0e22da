// Runs in the guest: makes the calls of all families at each place, and prints what they answered as JSON.
import { families, userFamilies } from './families.ts';
import { type CallRecord, Place } from './place.ts';

const { places, only, asUser } = JSON.parse(process.argv[2] as string) as {
  places: Record<string, { root: string; second: string }>;
  only?: string[];
  asUser?: boolean;
};

process.umask(0);
const results: Record<string, CallRecord[]> = {};
for (const [name, { root, second }] of Object.entries(places)) {
  const place = new Place(root, second);
  for (const [family, make] of Object.entries(asUser ? userFamilies : families)) {
    if (only && !only.includes(family)) continue;
    const start = performance.now();
    place.enter(family);
    await make(place);
    process.stderr.write(`${name} ${family} ${Math.round(performance.now() - start)} ms\n`);
  }
  process.chdir('/');
  results[name] = place.records;
}
process.stdout.write(JSON.stringify(results));
