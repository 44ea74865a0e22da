import { ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect';
import type { Peer } from '@vm-tools/vsock';
import { callerKey } from './caller.ts';

/** What failed where it was not expected to: callers are told INTERNAL, and nothing of the error. */
export interface HandlerError {
  readonly error: unknown;
  /** As in `vm_tools.Maitred.Mount`. */
  readonly method: string;
  readonly caller: Peer | undefined;
}

export type HandlerErrorListener = (failure: HandlerError) => void;

/** Hands on what handlers throw that is not a ConnectError. */
export function reportErrors(listener: HandlerErrorListener): Interceptor {
  return (next) => async (request) => {
    const report = (error: unknown) => {
      if (error instanceof ConnectError) return;
      const { method, contextValues } = request;
      const name = `${method.parent.typeName}.${method.name}`;
      listener({ error, method: name, caller: contextValues.get(callerKey) });
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: reported(response, report) } : response;
    } catch (error) {
      report(error);
      throw error;
    }
  };
}

async function* reported(
  response: StreamResponse,
  report: (error: unknown) => void,
): StreamResponse['message'] {
  try {
    yield* response.message;
  } catch (error) {
    report(error);
    throw error;
  }
}
