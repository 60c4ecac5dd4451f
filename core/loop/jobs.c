#include <signal.h>

#include "loop/loop-private.h"

#define THREADS_MAX 4

/* One loop's threads: started one by one while jobs wait and none is idle, and kept until the loop is freed.
 */
typedef struct LyJobs {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t more;
    LyList queue;
    size_t queued;
    unsigned count, idle;
    bool quit;
    pthread_t threads[THREADS_MAX];
    LyLoop *loop;
} LyJobs;

struct LyJob {
    LyPost post;
    LyLoop *loop;
    LyLink link; /* in the queue until a thread takes it */
    void (*work)(void *data);
    void (*done)(void *data, bool cancelled);
    void *data;
    bool here;      /* no thread could be started: works in the loop's own */
    bool cancelled; /* used by the loop's thread only */
};

static void job_finished(LyPost *post, bool dropped)
{
    LyJob job = *ly_container_of(post, LyJob, post);
    ly_free(ly_container_of(post, LyJob, post));
    bool cancelled = job.cancelled || dropped;
    if (job.here && !cancelled)
        job.work(job.data);
    job.done(job.data, cancelled);
}

static LyJob *take(LyJobs *jobs)
{
    LyJob *job = ly_list_first(&jobs->queue, LyJob, link);
    if (job) {
        ly_link_remove(&job->link);
        jobs->queued--;
    }
    return job;
}

static void *run_jobs(void *user)
{
    LyJobs *jobs = user;
    pthread_mutex_lock(&jobs->mutex);
    while (!jobs->quit) {
        LyJob *job = take(jobs);
        if (!job) {
            jobs->idle++;
            pthread_cond_wait(&jobs->more, &jobs->mutex);
            jobs->idle--;
            continue;
        }
        pthread_mutex_unlock(&jobs->mutex);
        job->work(job->data);
        ly_loop_post_item(jobs->loop, &job->post);
        pthread_mutex_lock(&jobs->mutex);
    }
    pthread_mutex_unlock(&jobs->mutex);
    return NULL;
}

static LyJobs *jobs_of(LyLoop *loop)
{
    if (!loop->jobs) {
        LyJobs *jobs = ly_new(LyJobs);
        jobs->loop = loop;
        pthread_mutex_init(&jobs->mutex, NULL);
        pthread_cond_init(&jobs->more, NULL);
        ly_list_init(&jobs->queue);
        loop->jobs = jobs;
    }
    return loop->jobs;
}

/* With all signals blocked: they are the program's threads' business. */
static void start_thread(LyJobs *jobs)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&jobs->threads[jobs->count], NULL, run_jobs, jobs) == 0)
        jobs->count++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

LyJob *ly_loop_work(LyLoop *loop, void (*work)(void *data), void (*done)(void *data, bool cancelled),
                    void *data)
{
    LyJobs *jobs = jobs_of(loop);
    LyJob *job = ly_new(LyJob);
    *job = (LyJob){.post.run = job_finished, .loop = loop, .work = work, .done = done, .data = data};
    pthread_mutex_lock(&jobs->mutex);
    ly_list_append(&jobs->queue, &job->link);
    jobs->queued++;
    if (jobs->queued > jobs->idle && jobs->count < THREADS_MAX && !jobs->quit)
        start_thread(jobs);
    if (jobs->count == 0) {
        job->here = true;
        take(jobs);
    }
    pthread_cond_signal(&jobs->more);
    pthread_mutex_unlock(&jobs->mutex);
    if (job->here)
        ly_loop_post_item(loop, &job->post);
    return job;
}

void ly_job_cancel(LyJob *job)
{
    LyJobs *jobs = job->loop->jobs;
    job->cancelled = true;
    pthread_mutex_lock(&jobs->mutex);
    bool waiting = job->link.next != NULL;
    if (waiting) {
        ly_link_remove(&job->link);
        jobs->queued--;
    }
    pthread_mutex_unlock(&jobs->mutex);
    if (waiting)
        ly_loop_post_item(job->loop, &job->post);
}

void ly_jobs_free(LyLoop *loop)
{
    LyJobs *jobs = loop->jobs;
    if (!jobs)
        return;
    pthread_mutex_lock(&jobs->mutex);
    jobs->quit = true;
    pthread_cond_broadcast(&jobs->more);
    pthread_mutex_unlock(&jobs->mutex);
    for (unsigned i = 0; i < jobs->count; i++)
        pthread_join(jobs->threads[i], NULL);
    LyJob *job;
    while ((job = take(jobs)))
        job_finished(&job->post, true);
    pthread_cond_destroy(&jobs->more);
    pthread_mutex_destroy(&jobs->mutex);
    loop->jobs = NULL;
    ly_free(jobs);
}
