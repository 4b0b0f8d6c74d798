"""Clusters and mixtures."""

from sklearn import cluster, mixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def cases(a, d):
    X, F = d.X, d.flowers
    lloyd = "lloyd" if a.version >= (1, 1) else "full"
    how = {"n_clusters": 3, "n_init": 2, "random_state": 0}
    a.add("kmeans", lambda: cluster.KMeans(algorithm=lloyd, **how), X, inputs=F)
    a.add("kmeans-elkan", lambda: cluster.KMeans(algorithm="elkan", **how), X, inputs=F)
    a.add("kmeans-frame", lambda: cluster.KMeans(**how), d.frame, inputs=d.flower_frame)
    a.add("kmeans-one-row", lambda: cluster.KMeans(**how), X, inputs=d.one)
    a.add("kmeans-many", lambda: cluster.KMeans(**dict(how, n_clusters=20)), X, inputs=F)
    a.add("kmeans-scaled", lambda: make_pipeline(StandardScaler(), cluster.KMeans(**how)), X, inputs=F)
    a.add("minibatch-kmeans", lambda: cluster.MiniBatchKMeans(batch_size=30, **how), X, inputs=F)
    a.add("bisecting-kmeans", lambda: cluster.BisectingKMeans(n_clusters=4, random_state=0), X, inputs=F)
    a.add("birch", lambda: cluster.Birch(threshold=1.0, n_clusters=3), X, inputs=F)
    a.add("mean-shift", lambda: cluster.MeanShift(bandwidth=1.5), X, inputs=F)
    a.add("affinity", lambda: cluster.AffinityPropagation(random_state=0), X[::3], inputs=F)
    for kind in ["full", "tied", "diag", "spherical"]:
        a.add("gaussian-" + kind, lambda: mixture.GaussianMixture(3, covariance_type=kind, random_state=0), X, inputs=F)
        a.add("bayesian-" + kind, lambda: mixture.BayesianGaussianMixture(n_components=3, covariance_type=kind, random_state=0), X, inputs=F)
    a.add("gaussian-frame", lambda: mixture.GaussianMixture(2, random_state=0), d.frame, inputs=d.flower_frame)
    a.add("bayesian-dirichlet", lambda: mixture.BayesianGaussianMixture(n_components=3, weight_concentration_prior_type="dirichlet_distribution", random_state=0), X, inputs=F)
