import time, json
def test_x(registered):
    for kw in ({}, {"preview": True}, {"phase": 1}, {"phase": 3, "hf_token": None}):
        t=time.time(); r=registered(**kw); print(kw, time.time()-t, len(r.resources))
    r=registered()
    for one in r.resources: print(one.type, one.name, one.urn)
    print(r.outputs, r.log)
    for k in ("Secret","Namespace","IngressRoute","PersistentVolumeClaim"): print(r.of_kind(k)[0])
    print(registered(preview=True).outputs)
