import { fuzzTests } from './fuzz-target.js'
import { runInput, seedInputs } from './stream-target.js'

fuzzTests({
  name: 'a node of streams',
  folder: new URL('stream-corpus/', import.meta.url),
  files: /src\/stream\//,
  runInput,
  seedInputs,
  corpusShare: 8,
})
