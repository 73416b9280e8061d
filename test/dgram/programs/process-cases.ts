import * as asyncHooks from 'node:async_hooks'
import { fork, type ChildProcess } from 'node:child_process'
import cluster from 'node:cluster'
import diagnosticsChannel from 'node:diagnostics_channel'
import { isMainThread, Worker } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import type { DgramModule } from '../differential.js'

type Log = (...values: unknown[]) => void
/** What is asked of a program that was started by another program of its kind. */
export type Role = 'main' | 'child'
export type ProcessCase = (dgram: DgramModule, log: Log, role: Role) => void | Promise<void>

const HOST = '127.0.0.1'
/** Descriptor that the test hands to a program. */
const GIVEN_FD = 3

type Private = Record<string, unknown> & { _handle: unknown; _queue: unknown; _healthCheck(): void; _stopReceiving(): void }

/** Programs that need a process of their own: they end it, warn, or have others. */
export const processCases: Record<string, ProcessCase> = {
  'an unbound socket keeps no process alive': (dgram, log) => {
    dgram.createSocket('udp4').on('close', () => log('closed'))
    process.on('beforeExit', () => log('before exit'))
    process.on('exit', (code) => log('exit', code))
  },

  'a bound socket keeps the process alive until it is closed': (dgram, log) => {
    const socket = dgram.createSocket('udp4')
    socket.bind(0, HOST, () => {
      // Fires only if something else keeps the loop alive.
      setTimeout(() => {
        log('alive')
        socket.close(() => log('closed'))
      }, 30).unref()
    })
    process.on('beforeExit', () => log('before exit'))
  },

  'a connected socket keeps the process alive': (dgram, log) => {
    const socket = dgram.createSocket('udp4')
    socket.connect(9, HOST, () => {
      setTimeout(() => {
        log('alive')
        socket.close(() => log('closed'))
      }, 30).unref()
    })
  },

  'an unreferenced socket keeps no process alive': (dgram, log) => {
    const socket = dgram.createSocket('udp4')
    socket.bind(0, HOST, () => {
      log('listening')
      socket.unref()
    })
    process.on('beforeExit', () => log('before exit'))
  },

  'a socket that was unreferenced before it was bound keeps no process alive': (dgram, log) => {
    const socket = dgram.createSocket('udp4').unref()
    socket.bind(0, HOST, () => log('listening'))
    process.on('beforeExit', () => log('before exit'))
  },

  'a socket that is referenced again keeps the process alive': (dgram, log) => {
    const socket = dgram.createSocket('udp4').unref()
    socket.bind(0, HOST, () => {
      socket.ref()
      setTimeout(() => {
        log('alive')
        socket.close(() => log('closed'))
      }, 30).unref()
    })
  },

  'a referenced socket in beforeExit brings the process back': (dgram, log) => {
    const socket = dgram.createSocket('udp4').unref()
    socket.bind(0, HOST)
    socket.on('message', (message) => {
      log('message', message.toString())
      socket.close()
    })
    process.once('beforeExit', () => {
      log('before exit')
      socket.ref()
      socket.send('still here', socket.address().port, HOST)
    })
  },

  'the callback of the last send comes, though nothing keeps the process alive': (dgram, log) => {
    const socket = dgram.createSocket('udp4').unref()
    socket.send('x', 9, HOST, (error, bytes) => log('sent', error, bytes))
  },

  'a connected unreferenced socket sends its last datagrams': (dgram, log) => {
    const socket = dgram.createSocket('udp4').unref()
    socket.connect(9, HOST, () => {
      for (let i = 0; i < 3; i++) socket.send('x', (error, bytes) => log('sent', i, error, bytes))
    })
  },

  'an unreferenced socket hears while something else keeps the process alive': (dgram, log) => {
    const socket = dgram.createSocket('udp4', (message) => log('message', message.toString())).unref()
    socket.bind(0, HOST, () => {
      socket.send('x', socket.address().port, HOST)
      setTimeout(() => log('over'), 30)
    })
  },

  'process.exit in a message handler': (dgram, log) => {
    const socket = dgram.createSocket('udp4', () => {
      log('message')
      process.exit(7)
    })
    socket.bind(0, HOST, () => {
      for (let i = 0; i < 3; i++) socket.send('x', socket.address().port, HOST)
    })
    process.on('exit', (code) => log('exit', code))
  },

  'process.exit after a send of a connected socket: the datagram is out': (dgram, log) => {
    const socket = dgram.createSocket('udp4')
    socket.connect(Number(process.env['PEER_PORT']), HOST, () => {
      socket.send('the last one')
      log('exits')
      process.exit(0)
    })
  },

  'process.exit after a send of an unconnected socket: the datagram is lost': (dgram, log) => {
    const socket = dgram.createSocket('udp4')
    socket.bind(0, HOST, () => {
      socket.send('before', Number(process.env['PEER_PORT']), HOST, () => {
        socket.send('the last one', Number(process.env['PEER_PORT']), HOST)
        log('exits')
        process.exit(0)
      })
    })
  },

  'an error that nobody listens to ends the process': (dgram, log) => {
    process.on('exit', (code) => log('exit', code))
    dgram.createSocket('udp4').bind(Number(process.env['PEER_PORT']), HOST)
  },

  'an exception in a message handler ends the process': (dgram, log) => {
    process.on('exit', (code) => log('exit', code))
    const socket = dgram.createSocket('udp4', () => {
      throw new Error('of the handler')
    })
    socket.bind(0, HOST, () => socket.send('x', socket.address().port, HOST))
  },

  'every deprecated member warns, once': async (dgram, log) => {
    process.on('warning', (warning) => log('warning', warning.name, (warning as NodeJS.ErrnoException).code, warning.message))
    const socket = dgram.createSocket('udp4') as unknown as Private & ReturnType<DgramModule['createSocket']>
    log('_healthCheck', socket._healthCheck())
    log(
      '_receiving',
      socket['_receiving'],
      '_bindState',
      socket['_bindState'],
      '_queue',
      socket._queue,
      '_reuseAddr',
      socket['_reuseAddr'],
    )
    await new Promise<void>((resolve) => socket.bind(0, HOST, resolve))
    log('_receiving', socket['_receiving'], '_bindState', socket['_bindState'])
    log('_handle', typeof socket._handle, typeof (socket._handle as { fd: number }).fd, (socket._handle as { fd: number }).fd > 2)
    socket._stopReceiving()
    log('_receiving', socket['_receiving'])
    Reflect.set(socket, '_reuseAddr', 'set')
    log('_reuseAddr', socket['_reuseAddr'])
    socket.close()
    log('_handle', socket._handle)
    try {
      socket._healthCheck()
    } catch (error) {
      log('_healthCheck', (error as NodeJS.ErrnoException).code)
    }
    await new Promise((resolve) => setImmediate(resolve))
  },

  ...Object.fromEntries(
    ['_handle', '_receiving', '_bindState', '_queue', '_reuseAddr', '_healthCheck', '_stopReceiving', '_createSocketHandle'].map(
      (member): [string, ProcessCase] => [
        `${member} warns with its own words`,
        async (dgram, log) => {
          process.on('warning', (warning) =>
            log('warning', warning.name, (warning as NodeJS.ErrnoException).code, warning.message),
          )
          if (member === '_createSocketHandle') {
            const create = Reflect.get(dgram, member) as (...values: unknown[]) => { close(): void }
            create(HOST, 0, 'udp4', -1, 0).close()
          } else {
            const socket = dgram.createSocket('udp4')
            const value: unknown = Reflect.get(socket, member)
            if (typeof value === 'function') Reflect.apply(value, socket, [])
          }
          await new Promise((resolve) => setImmediate(resolve))
        },
      ],
    ),
  ),

  'a handle of _createSocketHandle is bound and heard': async (dgram, log) => {
    const create = Reflect.get(dgram, '_createSocketHandle') as (...values: unknown[]) => unknown
    const handle = create(HOST, 0, 'udp4', -1, 0)
    const socket = dgram.createSocket('udp4', (message) => {
      log('message', message.toString())
      socket.close(() => log('closed'))
    })
    socket.on('listening', () => log('listening'))
    log('bind', socket.bind(handle as never) === socket)
    log('address', socket.address().address, socket.address().port > 0)
    socket.send('x', socket.address().port, HOST, (error, bytes) => log('sent', error, bytes))
    await Promise.resolve()
  },

  'a descriptor that the process was given is bound and heard': (dgram, log) => {
    const socket = dgram.createSocket('udp4', (message, from) => {
      log('message', message.toString(), from.address, from.port === Number(process.env['PEER_PORT']))
      socket.send('reply', from.port, from.address, (error, bytes) => {
        log('sent', error, bytes)
        socket.close(() => log('closed'))
      })
    })
    socket.on('listening', () => log('listening'))
    const returned = socket.bind({ fd: GIVEN_FD } as never, () => log('callback'))
    log('bound', returned === socket, socket.address().address, socket.address().port === Number(process.env['GIVEN_PORT']))
    process.nextTick(() => log('tick'))
    const asking = dgram.createSocket('udp4')
    asking.send('hello', Number(process.env['PEER_PORT']), HOST, () => asking.close())
  },

  'a descriptor is bound once a loop': (dgram, log) => {
    const [first, second] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')]
    first.bind({ fd: GIVEN_FD } as never)
    try {
      second.bind({ fd: GIVEN_FD } as never)
      log('bound twice')
    } catch (error) {
      const { message, code, errno, syscall } = error as NodeJS.ErrnoException
      log('throws', message, code, errno, syscall)
    }
    first.close()
  },

  'a worker thread ends with its sockets open': async (dgram, log) => {
    if (isMainThread) {
      const worker = new Worker(fileURLToPath(new URL('worker.mjs', import.meta.url)), {
        argv: process.argv.slice(2),
        execArgv: process.execArgv,
      })
      worker.on('message', (message) => log('worker', message))
      const code = await new Promise((resolve) => worker.on('exit', resolve))
      log('worker ended', code)
    } else {
      const socket = dgram.createSocket('udp4', () => process.exit(3))
      socket.bind(0, HOST, () => socket.send('x', socket.address().port, HOST, (error, bytes) => log('sent', error, bytes)))
      await new Promise(() => {})
    }
  },

  'cluster workers share a port': (dgram, log) => clusterCase(dgram, log, false),
  'exclusive sockets of cluster workers have ports of their own': (dgram, log) => clusterCase(dgram, log, true),

  'a socket is passed to a child process': (dgram, log, role) => {
    if (role === 'child') {
      process.on('message', (message, socket) => {
        const received = socket as unknown as ReturnType<DgramModule['createSocket']>
        received.on('message', (text, from) => {
          received.send(`child got ${text.toString()}`, from.port, from.address, () => {
            received.close()
            process.disconnect()
          })
        })
        process.send!(`has ${String(message)} ${received.constructor.name} ${received.address().address}`)
      })
      return
    }
    diagnosticsChannel.subscribe('udp.socket', () => log('a socket is made'))
    const child = forkSelf()
    const socket = dgram.createSocket('udp4')
    const asking = dgram.createSocket('udp4', (message) => {
      log('answer', message.toString())
      asking.close()
      socket.close()
    })
    child.on('message', (message) => {
      log('child', message)
      // Both hear; whoever is first has it. Ours does not read any more.
      asking.send('question', socket.address().port, HOST)
    })
    socket.bind(0, HOST, () => {
      try {
        child.send('a socket', socket as never, () => log('passed'))
      } catch (error) {
        log('refused', (error as NodeJS.ErrnoException).code)
        child.disconnect()
        socket.close()
        asking.close()
      }
      Reflect.apply(Reflect.get(socket, '_stopReceiving') as () => void, socket, [])
    })
  },

  'what tools see of a socket': async (dgram, log) => {
    const handles = () =>
      (process as unknown as { _getActiveHandles(): object[] })
        ._getActiveHandles()
        .filter((handle) => handle instanceof dgram.Socket)
    const resources = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('UDP') || name.startsWith('POLL'))
    const socket = dgram.createSocket('udp4')
    log('unbound', handles().length, resources())
    await new Promise<void>((resolve) => socket.bind(0, HOST, resolve))
    log('bound', handles().length, handles()[0] === socket, resources())
    socket.unref()
    log('unreferenced', handles().length, resources())
    socket.ref()
    socket.close()
    await new Promise((resolve) => setImmediate(resolve))
    log('closed', handles().length, resources())
  },

  'async resources end with the sockets': async (dgram, log) => {
    const open = new Set<number>()
    const hook = asyncHooks.createHook({
      init: (id, type) => void (type === 'UDPWRAP' && open.add(id)),
      destroy: (id) => void open.delete(id),
    })
    hook.enable()
    const [unbound, bound, given] = [1, 2, 3].map(() => dgram.createSocket('udp4'))
    log('open', open.size > 0)
    await new Promise<void>((resolve) => bound!.bind(0, HOST, resolve))
    given!.bind({ fd: GIVEN_FD })
    for (const socket of [unbound, bound, given]) socket!.close()
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
    hook.disable()
    log('open', open.size)
  },

  'which async resources there are': async (dgram, log) => {
    const types: string[] = []
    const hook = asyncHooks.createHook({ init: (_id, type) => void (type.startsWith('UDP') && types.push(type)) }).enable()
    const socket = dgram.createSocket('udp4', () => {
      log('message', asyncHooks.executionAsyncResource() === undefined)
      socket.close()
    })
    await new Promise<void>((resolve) => socket.bind(0, HOST, resolve))
    socket.send('x', socket.address().port, HOST)
    await new Promise((resolve) => socket.once('close', resolve))
    hook.disable()
    log('types', types)
  },
}

function forkSelf(): ChildProcess {
  return fork(process.argv[1]!, [...process.argv.slice(2), 'child'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
}

/** Two workers on "one" port of the primary's choice; the primary hears from each where it is bound, and says what it heard in return. */
async function clusterCase(dgram: DgramModule, log: Log, exclusive: boolean): Promise<void> {
  if (!cluster.isPrimary) {
    const socket = dgram.createSocket('udp4', (message, from) => {
      socket.send(`echo of ${message.toString()}`, from.port, from.address)
    })
    socket.on('error', (error) => process.send!({ error: error.message }))
    socket.bind({ port: 0, address: HOST, exclusive }, () => process.send!({ port: socket.address().port }))
    process.on('message', () => socket.close(() => process.disconnect()))
    return
  }
  cluster.setupPrimary({ args: process.argv.slice(2), silent: false })
  const workers = [cluster.fork(), cluster.fork()]
  const said = (worker: (typeof workers)[number]) =>
    new Promise<{ port?: number; error?: string }>((resolve) => worker.once('message', resolve))
  const ports: number[] = []
  for (const { port, error } of await Promise.all(workers.map(said))) {
    if (port === undefined) log('error', error)
    else ports.push(port)
  }
  log('same port', ports[0] === ports[1])
  const asking = dgram.createSocket('udp4')
  for (const port of ports) {
    asking.send('hello', port, HOST)
    log(await new Promise((resolve) => asking.once('message', (message) => resolve(message.toString()))))
  }
  asking.close()
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve).send('end'))))
  log('over')
}
