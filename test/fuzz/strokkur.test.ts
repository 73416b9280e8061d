import { fuzzTests } from './fuzz-target.js'
import { runInput, seedInputs } from './strokkur-target.js'

fuzzTests({
  name: 'messages and their receivers',
  folder: new URL('strokkur-corpus/', import.meta.url),
  files: /src\/(strokkur|fec)\//,
  runInput,
  seedInputs,
})
