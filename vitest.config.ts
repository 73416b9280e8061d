import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process a file: a native addon's crash, a leaked descriptor or an open handle then names its file.
    pool: 'forks',
    // Views that outlive their handler read this instead of luck.
    env: { GEYSIR_POISON: '1' },
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
