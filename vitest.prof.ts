import { defineConfig } from 'vitest/config';
export default defineConfig({ test: { execArgv: ['--cpu-prof','--cpu-prof-dir=/tmp/cprof'], isolate:false, fileParallelism:false, testTimeout:100000 } });
