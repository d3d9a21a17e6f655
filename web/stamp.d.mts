import type { Plugin } from "vite";

export function stamp(): { readonly page: Plugin[]; readonly worker: () => Plugin[] };
