import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AbsentPeerError, Peer, type PeerName, type StartOptions } from './peer.ts';

export interface TeamOptions extends Omit<StartOptions, 'root' | 'folder'> {
  readonly peers: readonly PeerName[];
}

/** The servers of a run, all on one tree. Ends with `await using`. */
export class Team implements AsyncDisposable {
  readonly peers: readonly Peer[];
  /** Those that are not installed, and what installs them. */
  readonly absent: Readonly<Partial<Record<PeerName, string>>>;
  readonly #folder: string;

  private constructor(
    peers: readonly Peer[],
    absent: Readonly<Partial<Record<PeerName, string>>>,
    folder: string,
  ) {
    this.peers = peers;
    this.absent = absent;
    this.#folder = folder;
  }

  static async start(root: string, { peers: names, ...options }: TeamOptions): Promise<Team> {
    const folder = mkdtempSync(join(tmpdir(), 'vm-tools-bench-'));
    const peers: Peer[] = [];
    const absent: Partial<Record<PeerName, string>> = {};
    const team = new Team(peers, absent, folder);
    try {
      for (const name of names) {
        try {
          peers.push(await Peer.start(name, { ...options, root, folder }));
        } catch (error) {
          if (!(error instanceof AbsentPeerError)) throw error;
          absent[name] = error.message;
        }
      }
      return team;
    } catch (error) {
      await team[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.peers.map((peer) => peer.stop()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
