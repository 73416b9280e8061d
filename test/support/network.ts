import { Host } from './host.js'
import { run } from './tools.js'

/**
 * Network namespaces for one test file, gone when it ends. Namespaces have short names of their own in the test ('a', 'b'); interface
 * addresses come up without duplicate address detection, so that they can be used at once.
 */
export class TestNetwork {
  readonly #names = new Map<string, string>()
  readonly #hosts: Host[] = []

  constructor() {
    process.once('exit', this.#removeNamespaces)
  }

  /** Makes a namespace with a loopback interface. */
  addNamespace(name: string): void {
    const full = `geysir-${process.pid}-${++created}-${name}`
    this.#names.set(name, full)
    run('ip', 'netns', 'add', full)
    for (const scope of ['all', 'default']) this.sysctl(name, `net.ipv6.conf.${scope}.accept_dad`, 0)
    this.ip(name, 'link set lo up')
  }

  /** Joins two namespaces by a pair of interfaces, with addresses such as `10.77.0.1/24`. */
  link(left: End, right: End): void {
    const peer = this.fullName(right.namespace)
    this.ip(left.namespace, `link add ${left.device} type veth peer name ${right.device} netns ${peer}`)
    for (const end of [left, right]) {
      this.#addAddresses(end)
      // What waits for a neighbour's answer waits without loss: a first burst can be longer than the kernel's default.
      for (const family of ['ipv4', 'ipv6']) {
        this.sysctl(end.namespace, `net.${family}.neigh.${end.device}.unres_qlen_bytes`, UNRESOLVED_QUEUE_BYTES)
      }
      this.ip(end.namespace, `link set ${end.device} up`)
    }
    for (const end of [left, right]) {
      this.#noticeCarrier(end.namespace, end.device)
      this.#waitForIpv6(end)
    }
  }

  /** Makes a switch, on which its namespace has an interface of the switch's name. It does not learn who listens to which group. */
  addSwitch({ namespace, device, addresses }: End): void {
    this.ip(namespace, `link add ${device} type bridge mcast_snooping 0`)
    this.ip(namespace, `link set ${device} up`)
    this.#addAddresses({ namespace, device, addresses })
  }

  /** Plugs a new interface into a switch; `port` is the switch's end of the wire. Does not wait for its IPv6. */
  plug(end: End, at: { namespace: string; device: string; port: string }): void {
    this.ip(at.namespace, `link add ${at.port} type veth peer name ${end.device} netns ${this.fullName(end.namespace)}`)
    this.ip(at.namespace, `link set ${at.port} master ${at.device} up`)
    this.ip(end.namespace, `link set ${end.device} up`)
    this.#addAddresses(end)
    this.#noticeCarrier(at.namespace, at.port)
    this.#noticeCarrier(end.namespace, end.device)
  }

  #addAddresses({ namespace, device, addresses }: End): void {
    for (const address of addresses) {
      this.ip(namespace, `addr add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`)
    }
  }

  /** The kernel would in its own time, up to a second later. */
  #noticeCarrier(namespace: string, device: string): void {
    this.ip(namespace, `link set dev ${device} state up`)
  }

  /** The kernel makes the routes of IPv6 addresses, and of groups, a moment after the interface is up. */
  #waitForIpv6({ namespace, device, addresses }: End): void {
    const wanted = [
      'multicast ff00::/8',
      ...addresses.filter((address) => address.includes(':')).map((address) => `local ${address.split('/')[0]}`),
    ]
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const routes = this.exec(namespace, 'ip', '-6', 'route', 'show', 'table', 'local', 'dev', device)
      if (wanted.every((route) => routes.includes(`${route} `))) return
    }
    throw new Error(`${device} has no IPv6 after ${MAX_LOOKS} looks`)
  }

  /** `ip -n NAMESPACE …` */
  ip(namespace: string, command: string): void {
    run('ip', '-n', this.fullName(namespace), ...command.split(' '))
  }

  /** Any command in a namespace, words apart. Returns what it prints. */
  exec(namespace: string, ...command: string[]): string {
    return run('ip', 'netns', 'exec', this.fullName(namespace), ...command)
  }

  sysctl(namespace: string, name: string, value: number | string): void {
    this.exec(namespace, 'sh', '-c', `echo ${value} > /proc/sys/${name.replaceAll('.', '/')}`)
  }

  /** A process in a namespace. */
  host(namespace: string): Host {
    const host = new Host(this.fullName(namespace))
    this.#hosts.push(host)
    return host
  }

  fullName(namespace: string): string {
    const full = this.#names.get(namespace)
    if (full === undefined) throw new Error(`no namespace ${namespace}`)
    return full
  }

  async remove(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.stop()))
    this.#removeNamespaces()
    process.off('exit', this.#removeNamespaces)
  }

  readonly #removeNamespaces = (): void => {
    const names = [...this.#names.values()]
    this.#names.clear()
    for (const full of names) run('ip', 'netns', 'del', full)
  }
}

interface End {
  namespace: string
  device: string
  addresses: string[]
}

/** Two hosts on one wire: `a` with 10.77.0.1 and fd77::1 on va, `b` with 10.77.0.2 and fd77::2 on vb. */
export function twoHosts(): TestNetwork {
  const network = new TestNetwork()
  network.addNamespace('a')
  network.addNamespace('b')
  network.link(
    { namespace: 'a', device: 'va', addresses: ['10.77.0.1/24', 'fd77::1/64', 'fe80::a/64'] },
    { namespace: 'b', device: 'vb', addresses: ['10.77.0.2/24', 'fd77::2/64', 'fe80::b/64'] },
  )
  return network
}

const UNRESOLVED_QUEUE_BYTES = 64 << 20
/** Each look is a process: together they are seconds. */
const MAX_LOOKS = 2000
let created = 0
