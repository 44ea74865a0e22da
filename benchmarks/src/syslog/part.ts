/** What is measured together, under a name that `--only` takes. */
export type Part = (options: { rounds: number; signal: AbortSignal }) => Promise<Measured>;

export interface Measured {
  /** For `--json`. */
  readonly rows: readonly object[];
  /** In Markdown. */
  readonly table: string;
}
