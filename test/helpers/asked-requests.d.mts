export function onRequests(tell: (operation: string, body: string) => void): () => void;
