import { fullBufferCases } from '../cases/full-buffer.js'
import { multicastInterfaceCases } from '../cases/multicast-interface.js'
import { loadDropIn, observeBoth } from '../differential.js'

// observe.ts TABLE: runs its cases on both implementations, in the network where it is started, and prints what they saw.
const tables = { multicast: multicastInterfaceCases, 'full buffer': fullBufferCases }
const dropIn = await loadDropIn()
const seen: unknown[] = []
for (const { name, program } of tables[process.argv[2] as keyof typeof tables]) {
  seen.push({ name, ...(await observeBoth(dropIn, name, program)) })
}
process.stdout.write(JSON.stringify(seen))
