#include "io/http.h"

#ifdef CDL_CURL
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

/* What is used of libcurl. A few symbols of a library that few runs need are looked up by
 * name, so that it and the twenty libraries behind it do not slow down every start. */
typedef struct Curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *handle);
    CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
    void (*easy_cleanup)(CURL *handle);
    const char *(*easy_strerror)(CURLcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
} Curl;

static bool find(void *library, const char *name, void *function, size_t size) {
    void *address = dlsym(library, name);
    memcpy(function, &address, size);
    return address != NULL;
}

/* The library stays loaded: it cannot be unloaded safely. */
static const Curl *curl_get(Err *err) {
    static Curl curl;
    static bool ready;
    if (ready) return &curl;
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        err_set(err, "libcurl cannot be loaded: %s", reason ? reason : "unknown reason");
        return NULL;
    }
    bool whole = true;
#define FIND(name) whole &= find(library, "curl_" #name, &curl.name, sizeof curl.name)
    FIND(global_init);
    FIND(easy_init);
    FIND(easy_setopt);
    FIND(easy_perform);
    FIND(easy_getinfo);
    FIND(easy_cleanup);
    FIND(easy_strerror);
    FIND(slist_append);
    FIND(slist_free_all);
#undef FIND
    if (!whole || curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(err, "libcurl is there but cannot be used");
        return NULL;
    }
    ready = true;
    return &curl;
}

bool http_available(Err *err) { return curl_get(err) != NULL; }

static size_t drop(char *data, size_t size, size_t count, void *context) {
    return size * count;
}

static int progress(void *context, curl_off_t down_all, curl_off_t down,
                    curl_off_t up_all, curl_off_t up) {
    const HttpPost *post = context;
    return post->stop();
}

static bool set_up(const Curl *curl, CURL *handle, const HttpPost *post,
                   struct curl_slist *header, char *reason) {
    bool ok = true;
#define SET(option, value) ok &= curl->easy_setopt(handle, option, value) == CURLE_OK
    SET(CURLOPT_URL, post->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->bytes);
    SET(CURLOPT_POSTFIELDS, (const char *)post->body);
    SET(CURLOPT_HTTPHEADER, header);
    /* 0 would mean no limit. */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(post->connect_seconds * 1e3) + 1);
    SET(CURLOPT_TIMEOUT_MS, (long)(post->seconds * 1e3) + 1);
    SET(CURLOPT_WRITEFUNCTION, drop);
    SET(CURLOPT_ERRORBUFFER, reason);
    if (post->stop) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, progress);
        SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)post);
    }
#undef SET
    return ok;
}

/* Takes over nothing. *out is the list of header lines; curl's "Expect" is left out, since
 * many small servers do not answer it. */
static bool make_header(const Curl *curl, const HttpPost *post, struct curl_slist **out) {
    struct curl_slist *list = curl->slist_append(NULL, "Expect:");
    for (const char *const *line = post->header; list && line && *line; line++) {
        struct curl_slist *longer = curl->slist_append(list, *line);
        if (!longer) curl->slist_free_all(list);
        list = longer;
    }
    *out = list;
    return list != NULL;
}

static bool perform(const Curl *curl, CURL *handle, const HttpPost *post, int *status,
                    Err *err) {
    char reason[CURL_ERROR_SIZE] = "";
    struct curl_slist *header;
    if (!make_header(curl, post, &header))
        return err_set(err, "not enough memory for a request");
    CURLcode code = set_up(curl, handle, post, header, reason)
                        ? curl->easy_perform(handle)
                        : CURLE_FAILED_INIT;
    long answer = 0;
    if (code == CURLE_OK)
        code = curl->easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer);
    curl->slist_free_all(header);
    if (code != CURLE_OK)
        return err_set(err, "%s", reason[0] ? reason : curl->easy_strerror(code));
    *status = (int)answer;
    return true;
}

bool http_post(const HttpPost *post, int *status, Err *err) {
    const Curl *curl = curl_get(err);
    if (!curl) return false;
    CURL *handle = curl->easy_init();
    if (!handle) return err_set(err, "not enough memory for a request");
    bool ok = perform(curl, handle, post, status, err);
    curl->easy_cleanup(handle);
    return ok;
}

#else

bool http_available(Err *err) {
    return err_set(err, "this cdl was built without libcurl; install "
                        "libcurl4-openssl-dev and build it again");
}

bool http_post(const HttpPost *post, int *status, Err *err) {
    return http_available(err);
}

#endif
