#include "signer.h"

#include <pthread.h>

#include "base/list.h"
#include "base/memory.h"

/* From so many on that wait, waking a second thread pays: one or two are signed while it wakes up. */
#define WAITING_FOR_HELP 3

typedef struct Signature {
    LyLink link;
    uint64_t id;
    LyKey *key;
    LyBytes algorithm; /* a constant */
    LyBuf result;
    LyError error;
    size_t len;
    uint8_t data[];
} Signature;

struct Signer {
    LyLoop *loop;
    SignerDone *done;
    void *user;
    bool helping; /* a job is queued or runs; of the loop's thread, as is the next */
    bool freed;
    pthread_mutex_t mutex; /* guards what follows */
    LyList waiting, finished;
    size_t waiting_count;
};

Signer *signer_new(LyLoop *loop, SignerDone *done, void *user)
{
    Signer *signer = ly_new(Signer);
    signer->loop = loop;
    signer->done = done;
    signer->user = user;
    pthread_mutex_init(&signer->mutex, NULL);
    ly_list_init(&signer->waiting);
    ly_list_init(&signer->finished);
    return signer;
}

static void signature_free(Signature *signature)
{
    ly_key_unref(signature->key);
    ly_buf_free(&signature->result);
    ly_free(signature);
}

static void drop(LyList *list)
{
    ly_list_each(list, Signature, link, signature)
    {
        ly_link_remove(&signature->link);
        signature_free(signature);
    }
}

static void destroy(Signer *signer)
{
    drop(&signer->finished);
    pthread_mutex_destroy(&signer->mutex);
    ly_free(signer);
}

void signer_free(Signer *signer)
{
    if (!signer)
        return;
    pthread_mutex_lock(&signer->mutex);
    drop(&signer->waiting);
    signer->waiting_count = 0;
    pthread_mutex_unlock(&signer->mutex);
    signer->freed = true;
    if (!signer->helping)
        destroy(signer);
}

void signer_add(Signer *signer, const LyAgentEvent *event)
{
    Signature *signature = ly_alloc(sizeof *signature + event->data.len);
    *signature = (Signature){.id = event->id,
                             .key = ly_key_ref(event->key),
                             .algorithm = event->algorithm,
                             .len = event->data.len};
    if (event->data.len)
        memcpy(signature->data, event->data.data, event->data.len);
    pthread_mutex_lock(&signer->mutex);
    ly_list_append(&signer->waiting, &signature->link);
    signer->waiting_count++;
    pthread_mutex_unlock(&signer->mutex);
}

/* With the mutex held. */
static Signature *take(Signer *signer)
{
    Signature *signature = ly_list_first(&signer->waiting, Signature, link);
    if (signature) {
        ly_link_remove(&signature->link);
        signer->waiting_count--;
    }
    return signature;
}

static void make(Signature *signature)
{
    if (!ly_key_sign(signature->key, signature->algorithm, ly_bytes(signature->data, signature->len),
                     &signature->result, &signature->error))
        ly_buf_clear(&signature->result);
}

static void deliver(Signer *signer, Signature *signature)
{
    signer->done(signer->user, signature->id, ly_buf_bytes(&signature->result), &signature->error);
    signature_free(signature);
}

/* ---- the second thread ---- */

static void help(void *data)
{
    Signer *signer = data;
    pthread_mutex_lock(&signer->mutex);
    for (Signature *signature; (signature = take(signer));) {
        pthread_mutex_unlock(&signer->mutex);
        make(signature);
        pthread_mutex_lock(&signer->mutex);
        ly_list_append(&signer->finished, &signature->link);
    }
    pthread_mutex_unlock(&signer->mutex);
}

/* True if anything was finished. */
static bool deliver_finished(Signer *signer)
{
    LyList finished;
    ly_list_init(&finished);
    pthread_mutex_lock(&signer->mutex);
    ly_list_each(&signer->finished, Signature, link, signature)
    {
        ly_link_remove(&signature->link);
        ly_list_append(&finished, &signature->link);
    }
    pthread_mutex_unlock(&signer->mutex);
    bool any = !ly_list_empty(&finished);
    ly_list_each(&finished, Signature, link, signature)
    {
        ly_link_remove(&signature->link);
        deliver(signer, signature);
    }
    return any;
}

static void helped(void *data, bool cancelled)
{
    Signer *signer = data;
    signer->helping = false;
    if (signer->freed)
        destroy(signer);
    else if (!cancelled)
        deliver_finished(signer);
}

/* ---- the loop's thread ---- */

bool signer_step(Signer *signer)
{
    pthread_mutex_lock(&signer->mutex);
    bool much = signer->waiting_count >= WAITING_FOR_HELP;
    bool finished = !ly_list_empty(&signer->finished);
    Signature *signature = take(signer);
    pthread_mutex_unlock(&signer->mutex);
    if (much && !signer->helping) {
        signer->helping = true;
        ly_loop_work(signer->loop, help, helped, signer);
    }
    bool any = finished && deliver_finished(signer);
    if (signature) {
        make(signature);
        deliver(signer, signature);
    }
    return any || signature;
}
