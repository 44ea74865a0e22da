import { type FieldType, type Message, type MessageName, messages } from '../wire/messages.ts';

export type RequestName = Extract<MessageName, `T${string}`>;

/** The name of the reply to a request: `Rwalk` to `Twalk`. */
export type ReplyName<N extends RequestName> = N extends `T${infer Rest}`
  ? Extract<MessageName, `R${Rest}`>
  : never;

/** A message to be sent as a request, its tag still to be allotted. */
export type Request = { [N in RequestName]: Omit<Message<N>, 'tag'> }[RequestName];

export type Reply<R extends Request> = Message<ReplyName<R['message']>>;

/** What can be said of every request. */
export interface CallOptions {
  /** Cancels the request: Tflush is sent, and the promise rejects with the signal's reason unless the reply comes first after all. */
  signal?: AbortSignal | undefined;
}

const LONGEST_TEXT = 80;
const decoder = new TextDecoder();

/** For error texts: `Twalk fid 1 newfid 2 wnames "usr/lib"`. */
export function describeRequest(request: Request): string {
  const values = request as unknown as Record<string, unknown>;
  const parts: string[] = [request.message];
  for (const [field, type] of Object.entries(messages[request.message][1]) as [string, FieldType][]) {
    const value = values[field];
    if (type === 'data') parts.push(`${field} of ${(value as Uint8Array).length} bytes`);
    else if (type === 'string') parts.push(`${field} ${quote(value as Uint8Array)}`);
    else if (type === 'string[]') parts.push(`${field} ${(value as Uint8Array[]).map(quote).join('/')}`);
    else parts.push(`${field} ${value}`);
  }
  return parts.join(' ');
}

function quote(bytes: Uint8Array): string {
  const text = decoder.decode(bytes.subarray(0, LONGEST_TEXT));
  return bytes.length > LONGEST_TEXT
    ? `${JSON.stringify(text)}... (${bytes.length} bytes)`
    : JSON.stringify(text);
}
