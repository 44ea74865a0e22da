import { stat } from 'node:fs/promises';

/** Consent is given for as long as a regular file is there: for the option `consent` of `crashListener`. */
export function consentByFile(path: string): () => Promise<boolean> {
  return async () => {
    try {
      return (await stat(path)).isFile();
    } catch {
      // Whatever keeps it from being seen: no answer means no.
      return false;
    }
  };
}
