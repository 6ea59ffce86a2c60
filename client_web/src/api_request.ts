/** One request to the server's REST API, and its refusal in one sentence. */
import { asSentence } from "./words";

/** The server's refusal, in one sentence. `status` 0: it was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    sentence: string,
  ) {
    super(sentence);
  }

  /** Whether it may go by itself. */
  get passes(): boolean {
    return [0, 408, 429, 502, 503, 504].includes(this.status);
  }
}

export interface Request {
  method?: string;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const UNREACHABLE = "The server cannot be reached: check the connection, then try again.";

/** `path`: below /api. Throws an `ApiError` unless the answer is a success. */
export async function send(fetcher: typeof fetch, path: string, request: Request): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetcher(`/api${path}`, request);
  } catch (error) {
    if (request.signal?.aborted) throw error;
    throw new ApiError(0, UNREACHABLE);
  }
  if (answer.ok) return answer;
  throw new ApiError(answer.status, await sentenceOf(answer));
}

/** Of a refusal: problem details (RFC 9457), or where something between us and the server answered, its status. */
async function sentenceOf(answer: Response): Promise<string> {
  try {
    const { detail } = (await answer.json()) as { detail?: unknown };
    if (typeof detail === "string" && detail.trim() !== "") return asSentence(detail);
  } catch {
    // No JSON.
  }
  return answer.status === 413 ? "This photo is too large: choose a smaller one." : `The server refused (${answer.status}): try again in a moment.`;
}
