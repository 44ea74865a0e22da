import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from '@connectrpc/connect';
import type { AcceptCids, Peer } from '@vm-tools/vsock';
import { cidCheck } from './peer-rules.ts';

/** Who calls, in the values of a handler's context and of an interceptor's request. */
export const callerKey = createContextKey<Peer | undefined>(undefined, { description: 'vm-rpc caller' });

/**
 * Who is at the other end of the connection that a call came over: what the kernel, or the directory of the VM, says of it;
 * nothing of what the caller says of itself.
 *
 * @param context of a handler; of an interceptor, its request
 * @throws Error when the call did not come through `serveRpc`
 */
export function callerOf(
  context: Pick<HandlerContext, 'values'> | { readonly contextValues: ContextValues },
): Peer {
  const caller = ('values' in context ? context.values : context.contextValues).get(callerKey);
  if (caller === undefined)
    throw new Error('nothing is known of the caller: the call did not come through serveRpc');
  return caller;
}

/**
 * Lets only these VMs call what it stands before: the service or method that has it among its interceptors. All others,
 * and callers without a CID, get PERMISSION_DENIED. A set or a function is asked anew at each call.
 *
 * For a whole server the option `acceptCids` is better: it ends connections before a message is read.
 */
export function admitCids(accept: AcceptCids): Interceptor {
  const isAdmitted = cidCheck(accept);
  return (next) => async (request) => {
    const caller = request.contextValues.get(callerKey);
    if (caller?.kind === 'vsock' && isAdmitted(caller.cid)) return await next(request);
    const who = caller?.kind === 'vsock' ? `CID ${caller.cid}` : 'a caller without a CID';
    throw new ConnectError(`${who} may not call ${request.method.name}`, Code.PermissionDenied);
  };
}
