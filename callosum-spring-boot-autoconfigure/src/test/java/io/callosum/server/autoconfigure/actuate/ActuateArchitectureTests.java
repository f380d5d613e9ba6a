/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.server.autoconfigure.actuate;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.syntax.ArchRuleDefinition;
import org.junit.jupiter.api.Test;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.context.annotation.ImportCandidates;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what keeps the dependencies of this package optional.
 */
class ActuateArchitectureTests {

	private static final String[] OPTIONAL = { "org.springframework.boot.actuate..",
			"org.springframework.boot.health..", "org.springframework.boot.micrometer..", "io.micrometer.." };

	private static final JavaClasses CLASSES = new ClassFileImporter()
		.withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
		.importPackages("io.callosum.server");

	@Test
	void onlyThisPackageUsesActuatorAndMicrometer() {
		ArchRuleDefinition.noClasses()
			.that()
			.resideOutsideOfPackage("io.callosum.server.autoconfigure.actuate..")
			.should()
			.dependOnClassesThat()
			.resideInAnyPackage(OPTIONAL)
			.check(CLASSES);
		assertThat(CLASSES).anyMatch(DescribedPredicate
			.describe("uses Micrometer", (JavaClass type) -> type.getDirectDependenciesFromSelf()
				.stream()
				.anyMatch((dependency) -> dependency.getTargetClass().getPackageName().startsWith("io.micrometer"))));
	}

	@Test
	void nothingElseUsesThisPackage() {
		ArchRuleDefinition.noClasses()
			.that()
			.resideOutsideOfPackage("io.callosum.server.autoconfigure.actuate..")
			.should()
			.dependOnClassesThat()
			.resideInAPackage("io.callosum.server.autoconfigure.actuate..")
			.check(CLASSES);
	}

	@Test
	void onlyAutoConfigurationsArePublic() {
		ArchRuleDefinition.classes()
			.that()
			.resideInAPackage("io.callosum.server.autoconfigure.actuate..")
			.and()
			.arePublic()
			.should()
			.beAnnotatedWith(AutoConfiguration.class)
			.check(CLASSES);
	}

	@Test
	void everyAutoConfigurationIsRegistered() {
		assertThat(ImportCandidates.load(AutoConfiguration.class, getClass().getClassLoader()).getCandidates())
			.containsAll(CLASSES.stream()
				.filter((type) -> type.isAnnotatedWith(AutoConfiguration.class))
				.map(JavaClass::getName)
				.toList());
	}

}
