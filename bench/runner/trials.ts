/** The ways in which contenders that send and receive datagrams are set against each other. */
import { readFile } from 'node:fs/promises'
import type { Figures, Trial } from './benchmark.js'
import { ContenderProcess } from './contender-process.js'
import type { Program } from './programs.js'

/** A program, the options that it gets, and the address at which it can be reached. */
export interface Role {
  readonly program: Program
  readonly options: readonly string[]
}

export interface Traffic {
  readonly source: Role
  readonly sink: Role
  readonly bytes: number
  /** Where the sink listens; the loopback address unless said otherwise. */
  readonly sinkAddress?: string
  /** What stands between the two, if anything does: it gets the sink's port and tells its own. */
  readonly relay?: Role
}

/** Lets a source blast at a sink; what the sink received in the window is what counts. */
export async function measureTraffic(traffic: Traffic, trial: Trial): Promise<Figures> {
  return runTraffic(traffic, trial, trial.seconds, async (_source, sink) => {
    const received = figuresOf(await sink.read(trial.warmUpSeconds + trial.seconds + START_SECONDS))
    if (!(received['datagrams']! > 0)) throw new Error('nothing was received')
    return {
      ...received,
      datagramsPerSecond: received['datagrams']! / received['seconds']!,
      heapBytesPerDatagram: (received['heapBytes'] ?? NaN) / received['datagrams']!,
    }
  })
}

/**
 * Lets a source blast at a sink and watches the memory of both. `residentDeviation` is how far either has moved away from what it
 * had once it had settled, relative to that.
 */
export async function measureMemory(traffic: Traffic, trial: Trial): Promise<Figures> {
  // The sink is stopped when enough has been seen: it gets more time than it needs.
  return runTraffic(traffic, trial, trial.seconds + START_SECONDS, async (source, sink) => {
    await pause(SETTLING_SECONDS)
    const settled = await residentBytes([source, sink])
    let residentDeviation = 0
    for (let second = SETTLING_SECONDS; second < trial.seconds; second++) {
      await pause(1)
      const now = await residentBytes([source, sink])
      for (const [i, bytes] of now.entries()) {
        residentDeviation = Math.max(residentDeviation, Math.abs(bytes / settled[i]! - 1))
      }
    }
    return { residentDeviation }
  })
}

async function runTraffic(
  { source, sink, bytes, sinkAddress = LOOPBACK, relay }: Traffic,
  trial: Trial,
  sinkSeconds: number,
  watch: (source: ContenderProcess, sink: ContenderProcess) => Promise<Figures>,
): Promise<Figures> {
  const sinkProcess = new ContenderProcess(sink.program, [
    ...[sinkAddress, 0, bytes, sinkSeconds],
    ...['--warm-up', trial.warmUpSeconds, '--receive-buffer', await receiveBufferBytes(), ...sink.options],
  ])
  let sourceProcess: ContenderProcess | undefined
  let relayProcess: ContenderProcess | undefined
  try {
    const listening = figuresOf(await sinkProcess.read(START_SECONDS))
    checkReceiveBuffer(listening['receiveBufferBytes'])
    let port = listening['port']!
    if (relay !== undefined) {
      relayProcess = new ContenderProcess(relay.program, [sinkAddress, port, ...relay.options])
      port = figuresOf(await relayProcess.read(START_SECONDS))['port']!
    }
    // The sink decides when it is over: the source gets more time than it needs.
    const sourceSeconds = trial.warmUpSeconds + sinkSeconds + START_SECONDS
    sourceProcess = new ContenderProcess(source.program, [...[sinkAddress, port, bytes, sourceSeconds], ...source.options])
    const figures = await Promise.race([watch(sourceProcess, sinkProcess), sourceProcess.failure])
    const sent = await sourceProcess.stopAndRead()
    if (sent['offload'] === false && source.options.includes('--offload')) {
      trial.note(`the path refuses segmentation offload for datagrams of ${bytes} B`)
    }
    return { ...figures, cpuSecondsPerGigabyte: cpuSecondsPerGigabyte(figuresOf(sent)) + cpuSecondsPerGigabyte(figures) }
  } finally {
    await Promise.all([sourceProcess?.stop(), relayProcess?.stop(), sinkProcess.stop()])
  }
}

/** Of one side, for what it sent or received. */
function cpuSecondsPerGigabyte({ cpuSeconds, bytes }: Figures): number {
  return ((cpuSeconds ?? NaN) / (bytes ?? NaN)) * 1e9
}

/** One datagram in flight between a ping and an echo. */
export async function measureRoundTrips(ping: Role, echo: Role, bytes: number, trial: Trial): Promise<Figures> {
  const buffer = ['--receive-buffer', await receiveBufferBytes()]
  const echoProcess = new ContenderProcess(echo.program, [LOOPBACK, 0, bytes, ECHO_SECONDS, ...buffer, ...echo.options])
  let pingProcess: ContenderProcess | undefined
  try {
    const { port } = figuresOf(await echoProcess.read(START_SECONDS))
    const [warmUp, count] = trial.quick ? QUICK_ROUND_TRIPS : FULL_ROUND_TRIPS
    pingProcess = new ContenderProcess(ping.program, [
      ...[LOOPBACK, port!, bytes, count],
      ...['--warm-up', warmUp, ...buffer, ...ping.options],
    ])
    return figuresOf(await Promise.race([pingProcess.read(ECHO_SECONDS), echoProcess.failure]))
  } finally {
    await Promise.all([pingProcess?.stop(), echoProcess.stop()])
  }
}

/** What a program measures by itself, without a partner. */
export async function measureAlone({ program, options }: Role): Promise<Figures> {
  const process = new ContenderProcess(program, options)
  try {
    return figuresOf(await process.read(ALONE_SECONDS))
  } finally {
    await process.stop()
  }
}

/** What a socket may ask for without privileges, up to 4 MiB: every contender asks for the same. */
async function receiveBufferBytes(): Promise<number> {
  const limit = Number(await readFile('/proc/sys/net/core/rmem_max', 'utf8'))
  return Math.min(WANTED_RECEIVE_BUFFER_BYTES, limit)
}

let agreedReceiveBufferBytes: number | undefined
function checkReceiveBuffer(bytes: number | undefined): void {
  agreedReceiveBufferBytes ??= bytes
  // A contender that is not UDP has none to compare.
  if (bytes !== undefined && bytes !== agreedReceiveBufferBytes) {
    throw new Error(`unequal receive buffers: ${bytes} and ${agreedReceiveBufferBytes} bytes`)
  }
}

async function residentBytes(processes: readonly ContenderProcess[]): Promise<number[]> {
  return Promise.all(
    processes.map(async ({ pid }) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024
    }),
  )
}

function figuresOf(line: Readonly<Record<string, unknown>>): Record<string, number> {
  const numbers = Object.entries(line).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
  return Object.fromEntries(numbers)
}

async function pause(seconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

const LOOPBACK = '127.0.0.1'
const WANTED_RECEIVE_BUFFER_BYTES = 4 << 20
const SETTLING_SECONDS = 5
/** For a process to start and say where it listens. */
const START_SECONDS = 10
const ECHO_SECONDS = 60
const ALONE_SECONDS = 60
/** Warm-up and measured. */
const FULL_ROUND_TRIPS = [3000, 15_000] as const
const QUICK_ROUND_TRIPS = [1000, 3000] as const
