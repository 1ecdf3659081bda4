/** Stands in for Supabase's client for files, see next.config.ts: the names that its main client asks for, and nothing behind them. */
export class StorageClient {}
export class StorageApiError extends Error {}
