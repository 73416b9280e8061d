// A worker thread uses dgram; options of the process are the worker's as well.
import dgram from 'node:dgram'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import witness from './witness.cjs'

const socket = dgram.createSocket('udp4')
const handle = witness.handleName(socket)
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  worker.on('message', (other) => witness.tell({ handle, worker: other }))
} else parentPort.postMessage(handle)
socket.close()
