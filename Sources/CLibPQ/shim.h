#pragma once
#include <libpq-fe.h>

// Since libpq 17 a sync can be queued without a write of its own; before, every sync is one system call.
extern int PQsendPipelineSync(PGconn *conn) __attribute__((weak));

static inline int postern_pq_pipeline_sync(PGconn *conn) {
  return PQsendPipelineSync ? PQsendPipelineSync(conn) : PQpipelineSync(conn);
}
