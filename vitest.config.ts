import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    alias: [
      { find: /^callboard$/, replacement: new URL('./src/index.ts', import.meta.url).pathname },
      { find: /^callboard\/sqlite$/, replacement: new URL('./src/store/sqlite/index.ts', import.meta.url).pathname },
      { find: /^callboard\/qdrant$/, replacement: new URL('./src/memory/qdrant/index.ts', import.meta.url).pathname },
      { find: /^callboard\/machines\/(.+)$/, replacement: new URL('./machines/', import.meta.url).pathname + '$1.ts' },
      { find: /^callboard\/(.+)$/, replacement: new URL('./src/', import.meta.url).pathname + '$1/index.ts' },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**', 'node_modules/**'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    typecheck: { enabled: false },
  },
})
