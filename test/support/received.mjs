/**
 * What a test wants to know of a datagram, in memory of its own. Plain JavaScript, because the programs and hosts that tests start
 * use it as well.
 *
 * @typedef {object} Received
 * @property {Buffer} payload
 * @property {string} text
 * @property {import('../../src/index.js').Endpoint} endpoint
 * @property {string} from `address:port`
 * @property {string | undefined} destination
 * @property {number} interfaceIndex
 * @property {number} ttl
 * @property {number} tos
 * @property {number} ecn
 * @property {bigint | undefined} timeNs
 * @property {boolean} truncated
 * @property {number} wireLength
 */

/**
 * The next `count` datagrams of a socket. Whatever else comes with the last of them is returned too, so that a test that compares
 * lengths sees it. They may have been sent before: what nobody listened for waits in the kernel.
 *
 * @param {import('../../src/index.js').UdpSocket} socket
 * @param {number} [count]
 * @returns {Promise<Received[]>}
 */
export function received(socket, count = 1) {
  return receivedUntil(socket, (datagrams) => datagrams.length >= count)
}

/**
 * The datagrams of a socket up to the batch after which `done` is true.
 *
 * @param {import('../../src/index.js').UdpSocket} socket
 * @param {(datagrams: Received[]) => boolean} done
 * @returns {Promise<Received[]>}
 */
export function receivedUntil(socket, done) {
  return new Promise((resolve, reject) => {
    /** @type {Received[]} */
    const datagrams = []
    const onClose = () => reject(new Error(`closed after ${datagrams.length} datagrams`))
    /** @param {import('../../src/index.js').ReceiveBatch} batch */
    const onBatch = (batch) => {
      for (let i = 0; i < batch.count; i++) datagrams.push(takeDatagram(batch, i))
      if (!done(datagrams)) return
      socket.off('batch', onBatch)
      socket.off('close', onClose)
      resolve(datagrams)
    }
    socket.on('batch', onBatch)
    socket.on('close', onClose)
  })
}

/**
 * @param {import('../../src/index.js').ReceiveBatch} batch
 * @param {number} i
 * @returns {Received}
 */
export function takeDatagram(batch, i) {
  const payload = batch.copy(i)
  return {
    payload,
    text: payload.toString(),
    endpoint: batch.endpoint(i),
    from: batch.endpoint(i).toString(),
    destination: batch.destination(i),
    interfaceIndex: batch.interfaceIndex(i),
    ttl: batch.ttl(i),
    tos: batch.tos(i),
    ecn: batch.ecn(i),
    timeNs: batch.receiveTimeNs(i),
    truncated: batch.truncated(i),
    wireLength: batch.wireLength(i),
  }
}

/**
 * The texts of datagrams, in order.
 *
 * @param {Received[]} datagrams
 */
export function texts(datagrams) {
  return datagrams.map((datagram) => datagram.text)
}
