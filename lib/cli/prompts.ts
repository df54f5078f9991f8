/** Asks the person at the terminal. The library is loaded only when a question is asked. */

export async function askOnTerminal(question: string): Promise<string | null> {
  const { isCancel, text } = await import('@clack/prompts');
  const answer = await text({ message: question });
  return isCancel(answer) ? null : (answer ?? '');
}
