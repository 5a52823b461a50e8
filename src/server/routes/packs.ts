import { z } from 'zod'
import { packName, packRun, unpackRun } from '../../pack/index.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { detailOf, openRun, summaryOf } from '../runs.ts'
import { RunDetailShape } from '../shapes.ts'

const LONGEST_ID = 1_024

export const packOperations: readonly Operation[] = [
  operation({
    method: 'get',
    path: '/api/runs/{runId}/pack',
    access: 'admin',
    tag: 'packs',
    summary: 'The run and its child runs as one file that goes on elsewhere, sensitive values included',
    answers: { 200: { description: 'a ZIP', schema: z.string(), type: 'application/zip' } },
    handle: async ({ house, params, services }) => {
      await summaryOf(house, params.runId)
      const { bytes, name } = await packRun(house.runtime.store, params.runId)
      return new Response(new Uint8Array(bytes), {
        headers: {
          'content-type': 'application/zip',
          'cache-control': 'no-store',
          'content-disposition': `attachment; filename="${packName(name, services.clock.now())}"`,
        },
      })
    },
  }),
  operation({
    method: 'post',
    path: '/api/packs',
    access: 'write',
    tag: 'packs',
    summary: 'Go on with a run from its pack, under an id of its own',
    query: z.strictObject({
      runId: z.string().min(1).max(LONGEST_ID).optional().describe('the id it goes on under; a new one unless given'),
    }),
    file: 'application/zip',
    answers: { 201: { description: 'it goes on', schema: RunDetailShape } },
    handle: async ({ house, query, body, caller, services }) => {
      const { runId } = await unpackRun(house.runtime.store, body as Uint8Array, {
        by: caller.name,
        clock: services.clock,
        ...(query.runId === undefined ? {} : { runId: query.runId }),
      })
      const run = await openRun(house, runId)
      const headers = { location: `/api/runs/${encodeURIComponent(runId)}` }
      return { status: 201, headers, ...(await detailOf(house, run)) }
    },
  }),
]
