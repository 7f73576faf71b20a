// Directories of the user: the files in them by their paths, and what is a dump there.

/** A directory; what can be sent to a worker. Paths are relative, with `/` between names. */
export interface Directory {
  name: string;
  files: [path: string, file: File][];
  /** The directories in it; those without a file are only known when it was dropped. */
  folders: string[];
  /** How many bytes its files have. */
  size: number;
}

/** A raft directory has as many files only with a huge database. */
const MOST_FILES = 50_000;
const MANIFEST = ".manifest.json";

function made(name: string, files: [string, File][], folders: Iterable<string>): Directory {
  return { name, files, folders: [...folders], size: files.reduce((size, [, file]) => size + file.size, 0) };
}

/** What stands in a directory: Chromium gives the files of entries to no page from a file, others have no handles. */
type Entry = FileSystemEntry | FileSystemHandle;

async function* inside(directory: Entry): AsyncGenerator<Entry> {
  if ("kind" in directory) {
    yield* (directory as FileSystemDirectoryHandle).values();
    return;
  }
  const reader = (directory as FileSystemDirectoryEntry).createReader();
  // Entries come some at a time, until none come.
  for (let more = true; more; ) {
    const entries = await new Promise<Entry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    yield* entries;
    more = entries.length > 0;
  }
}

/** A file; none of a directory. */
async function fileOf(entry: Entry): Promise<File | null> {
  if ("kind" in entry) return entry.kind === "file" ? (entry as FileSystemFileHandle).getFile() : null;
  return entry.isFile ? new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)) : null;
}

/** The directory that a dropped item is; none of a file. */
export function dropped(item: DataTransferItem): Promise<Directory> | null {
  const entry = item.webkitGetAsEntry();
  if (!entry?.isDirectory) return null;
  // It has to be asked for at once: the item is there only while the drop is handled.
  const handle = "getAsFileSystemHandle" in item ? item.getAsFileSystemHandle() : null;
  return (async () => {
    const files: [string, File][] = [];
    const folders: string[] = [];
    const walk = async (directory: Entry, path: string): Promise<void> => {
      for await (const entry of inside(directory)) {
        const inner = path + entry.name;
        const file = await fileOf(entry);
        if (file) files.push([inner, file]);
        else {
          folders.push(inner);
          await walk(entry, `${inner}/`);
        }
        if (files.length + folders.length > MOST_FILES) throw new Error(`${inner} is one of more than ${MOST_FILES} files in it: drop the directory that the server has as raft_dir.`);
      }
    };
    await walk((await handle) ?? entry, "");
    return made(entry.name, files, folders);
  })();
}

/** A directory that was chosen, by its files. */
export function chosen(list: File[]): Directory {
  const files: [string, File][] = [];
  const folders = new Set<string>();
  // Of one without files the browser gives no name.
  let name = "the chosen directory";
  for (const file of list) {
    const [root = "", ...names] = file.webkitRelativePath.split("/");
    name = root;
    files.push([names.join("/"), file]);
    for (let depth = 1; depth < names.length; depth++) folders.add(names.slice(0, depth).join("/"));
  }
  return made(name, files, folders);
}

/** The dumps with their manifests that stand in a directory, unless it is a raft directory. */
export function dumpsIn({ files, folders }: Directory): File[] {
  if (folders.includes("df_meta")) return [];
  const byPath = new Map(files);
  return files.flatMap(([path, manifest]) => {
    const dump = path.endsWith(MANIFEST) ? byPath.get(path.slice(0, -MANIFEST.length)) : undefined;
    return dump && !path.includes("/") ? [dump, manifest] : [];
  });
}
