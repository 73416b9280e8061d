import { defineConfig } from 'vitest/config'

// CI takes the counts from a file.
const results = process.env['GEYSIR_TEST_RESULTS']

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process a file: a native addon's crash, a leaked descriptor or an open handle then names its file.
    pool: 'forks',
    // Views that outlive their handler read this instead of luck.
    env: { GEYSIR_POISON: '1' },
    reporters: results === undefined ? ['default'] : ['default', ['json', { outputFile: results }]],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
