import { Endpoint, checkInteger, checkOptions, checkSignal, type EndpointLike, type Payload } from '../core/index.js'
import { payloadBuffer } from './payload.js'
import type { RequestPlan } from './requests.js'

/** What one request may ask for. */
export interface RequestOptions {
  /** How long to wait for the response, in milliseconds. Default: the link's `requestTimeoutMs`. */
  timeoutMs?: number
  /** When to send it again, in milliseconds, doubled each time; 0: never. Default: the link's `requestRetryMs`. */
  retryMs?: number
  /** Cancels the request. */
  signal?: AbortSignal
  /** Whom to ask, where the link has several peers. */
  endpoint?: Endpoint | EndpointLike
}

/** What a link does where a request does not say. */
export interface RequestDefaults {
  readonly requestTimeoutMs: number
  readonly requestRetryMs: number
}

/** Checks what a request asks for, and copies its payload. @throws Misuse. */
export function planRequest(
  payload: Payload,
  options: RequestOptions,
  defaults: RequestDefaults,
  maxPayloadBytes: number,
): RequestPlan {
  checkOptions('options', options, KNOWN)
  const bytes = payloadBuffer(payload, maxPayloadBytes)
  const { timeoutMs = defaults.requestTimeoutMs, retryMs = defaults.requestRetryMs, signal } = options
  checkInteger('options.timeoutMs', timeoutMs, 1, MAX_TIMEOUT_MS)
  checkInteger('options.retryMs', retryMs, 0, MAX_TIMEOUT_MS)
  checkSignal('options.signal', signal)
  const endpoint = options.endpoint === undefined ? undefined : Endpoint.from(options.endpoint)
  // Whoever of a group answers is one of those who were asked.
  return { payload: Buffer.from(bytes), endpoint: endpoint?.isMulticast ? undefined : endpoint, timeoutMs, retryMs, signal }
}

const KNOWN: ReadonlySet<string> = new Set(['timeoutMs', 'retryMs', 'signal', 'endpoint'])
const MAX_TIMEOUT_MS = 3_600_000
