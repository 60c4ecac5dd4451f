#include "work.h"

#include "base/memory.h"
#include "base/secret.h"
#include "key/read.h"

Work *work_new(LyCrypto *crypto, const LyAgentEvent *event)
{
    Work *work = ly_new(Work);
    *work = (Work){.id = event->id, .crypto = ly_crypto_ref(crypto)};
    if (event->type == LY_AGENT_DECRYPT) {
        work->encrypted = ly_secret_copy(event->encrypted);
        work->passphrase = ly_secret_copy(event->passphrase);
    } else {
        work->key = ly_key_ref(event->key);
        ly_buf_add(&work->algorithm, event->algorithm);
        ly_buf_add(&work->data, event->data);
    }
    return work;
}

void work_free(Work *work)
{
    ly_link_remove(&work->link);
    ly_key_unref(work->key);
    ly_crypto_unref(work->crypto);
    ly_buf_free(&work->algorithm);
    ly_buf_free(&work->data);
    ly_buf_free(&work->result);
    ly_secret_free((void *)(uintptr_t)work->encrypted.data);
    ly_secret_free((void *)(uintptr_t)work->passphrase.data);
    ly_free(work);
}

void work_run(void *data)
{
    Work *work = data;
    if (work->encrypted.data) {
        LyKeyReadOptions options = {.have_passphrase = true, .passphrase = work->passphrase};
        work->key = ly_key_read(work->crypto, work->encrypted, &options, &work->error);
    } else if (!ly_key_sign(work->key, ly_buf_bytes(&work->algorithm), ly_buf_bytes(&work->data),
                            &work->result, &work->error)) {
        ly_buf_clear(&work->result);
    }
}

void work_tell_failure(const LyLog *log, const char *what, const LyError *error)
{
    if (error->code != LY_OK)
        ly_log(log, LY_LOG_ERROR, "%s: %s", what, error->message);
}

void work_answer(const Work *work, LyAgent *agent, const LyLog *log)
{
    if (work->encrypted.data) {
        work_tell_failure(log, "an encrypted key could not be opened", &work->error);
        ly_agent_answer_decrypt(agent, work->id, work->key, work->error.code == LY_ERROR_PASSPHRASE);
    } else {
        work_tell_failure(log, "no signature could be made", &work->error);
        ly_agent_answer_sign(agent, work->id, ly_buf_bytes(&work->result));
    }
}
