import { Client, messagePortStream, type RemoteNode } from '@vm-tools/p9-protocol';

function element<E extends HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

const list = element<HTMLUListElement>('files');
const name = element<HTMLInputElement>('name');
const text = element<HTMLTextAreaElement>('text');
const status = element<HTMLOutputElement>('status');

// The client: its end of a channel is here, the other end is the worker's.
const worker = new Worker('worker.js');
const { port1, port2 } = new MessageChannel();
worker.postMessage(undefined, [port1]);
const client = await Client.connect({ stream: messagePortStream(port2), msize: 1 << 20 });
const root = await client.attach();

/** Does something and says what came of it: what the server refuses is to be seen. */
async function attempt(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
    await show(root);
  } catch (error) {
    status.value = error instanceof Error ? error.message : String(error);
  }
}

async function show(directory: RemoteNode): Promise<void> {
  const items: HTMLLIElement[] = [];
  let bytes = 0;
  for await (const entry of directory.readdir()) {
    if (entry.type !== 8) continue;
    const { size } = await directory.getattr([entry.name.toBytes()]);
    bytes += size;
    items.push(itemOf(String(entry.name), size));
  }
  list.replaceChildren(...items);
  status.value = `${items.length} files, ${bytes} bytes`;
}

function itemOf(file: string, size: number): HTMLLIElement {
  const item = document.createElement('li');
  const open = document.createElement('button');
  open.textContent = file;
  open.onclick = () =>
    void attempt(async () => {
      text.value = new TextDecoder().decode(await root.readFile(file));
      name.value = file;
    });
  item.append(open, ` ${size} bytes`);
  return item;
}

element('save').onclick = () =>
  void attempt(() => root.writeFile(name.value, new TextEncoder().encode(text.value)));
element('remove').onclick = () => void attempt(() => root.unlink(name.value));

// Files that are dropped onto the page, of any size.
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  const files = [...(event.dataTransfer?.files ?? [])];
  void attempt(() =>
    Promise.all(
      files.map(async (file) => root.writeFile(file.name, new Uint8Array(await file.arrayBuffer()))),
    ),
  );
};

await attempt(() => Promise.resolve());
