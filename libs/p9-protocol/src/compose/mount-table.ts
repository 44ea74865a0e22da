import { P9Error } from '../errno.ts';
import type { FileSystem } from '../filesystem.ts';
import { keyOf } from '../memory/memory-node.ts';
import { Name } from '../name.ts';
import { Member } from './member.ts';
import { Place } from './place.ts';
import { QidSpace } from './qid-space.ts';

const NAME_MAX = 255;

/** What is mounted where, as a tree of places with the mounted filesystems as its leaves. */
export class MountTable {
  readonly #qids = new QidSpace();
  readonly #root = new Place(0, new Uint8Array());
  #nextNumber = 1;

  /** The place at the end of a path, or undefined where there is none. */
  find(path: string): Place | undefined {
    let place: Place | undefined = this.#root;
    for (const name of namesIn(path)) {
      place = place.children.get(keyOf(name));
      if (place === undefined) return undefined;
    }
    return place;
  }

  /** @throws P9Error EINVAL, EEXIST */
  add(path: string, fs: FileSystem): void {
    const names = namesIn(path);
    if (names.length === 0 || !names.every((name) => name.isEntryName() && name.length <= NAME_MAX)) {
      throw new P9Error(
        'EINVAL',
        `${JSON.stringify(path)} is no path for a filesystem: give names joined by "/"`,
      );
    }
    this.#refuseConflict(path, names);
    let place = this.#root;
    for (const name of names) place = this.#childOf(place, name);
    place.member = new Member(fs, place, this.#qids.range());
  }

  /** @throws P9Error ENOENT */
  remove(path: string): Member {
    let place = this.find(path);
    const member = place?.member;
    if (place === undefined || member === undefined) {
      throw new P9Error('ENOENT', `no filesystem is mounted at ${JSON.stringify(path)}`);
    }
    place.member = undefined;
    while (place.parent !== undefined && place.children.size === 0) {
      place.parent.delete(keyOf(new Name(place.name)));
      place = place.parent;
    }
    return member;
  }

  #refuseConflict(path: string, names: readonly Name[]): void {
    let place: Place | undefined = this.#root;
    for (const [depth, name] of names.entries()) {
      place = place.children.get(keyOf(name));
      if (place === undefined) return;
      if (place.member !== undefined) {
        const taken = names.slice(0, depth + 1).join('/');
        throw new P9Error(
          'EEXIST',
          `${JSON.stringify(path)}: a filesystem is mounted at ${JSON.stringify(taken)}`,
        );
      }
    }
    throw new P9Error('EEXIST', `${JSON.stringify(path)}: filesystems are mounted below it`);
  }

  #childOf(place: Place, name: Name): Place {
    const key = keyOf(name);
    const existing = place.children.get(key);
    if (existing !== undefined) return existing;
    const child = new Place(this.#nextNumber++, name.toBytes(), place);
    place.add(key, child);
    return child;
  }
}

function namesIn(path: string): Name[] {
  return path.split('/').flatMap((name) => (name === '' ? [] : [Name.from(name)]));
}
